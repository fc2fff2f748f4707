//! Hyperf's async-queue, 1.0 to 3.2: its keys, its scripts, its messages and its rules, a version each.
//!
//! Never does I/O. A queue is a channel here, its name as configured, braces included. Counterpart in PHP:
//! `Hyperf\AsyncQueue\Driver\RedisDriver`, `Hyperf\AsyncQueue\Driver\ChannelConfig`, `Hyperf\AsyncQueue\Driver\Driver`.

pub mod message;

use bytes::Bytes;

use self::message::Message;
use super::laravel::has_hash_tag;
use super::{Keys, Rules, Scripts};
use crate::job::{Payload, PayloadError};
use crate::php::{self, Value};

/// How one Hyperf app speaks to Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hyperf {
    /// The Redis pool's key prefix; may be empty.
    pub prefix: String,
    /// The version of async-queue. 3.1.8.1 reads as 3.1.9 does, and is to be given as that.
    pub version: (u32, u32, u32),
    /// The pool is a cluster.
    pub cluster: bool,
}

impl Hyperf {
    /// The last version 3.
    pub fn new(prefix: impl Into<String>) -> Self {
        Hyperf { prefix: prefix.into(), version: (3, 2, 4), cluster: false }
    }

    /// This version, such as `(2, 2, 41)`.
    #[must_use]
    pub fn version(self, version: (u32, u32, u32)) -> Self {
        Hyperf { version, ..self }
    }

    /// The channel of a configuration as it is published: a hash tag from 2.1 on.
    pub fn default_channel(&self) -> &'static str {
        if self.version >= (2, 1, 0) { "{queue}" } else { "queue" }
    }

    /// The keys of a channel.
    pub fn keys(&self, channel: &str) -> Keys {
        let key = |role| format!("{}{channel}:{role}", self.prefix);
        Keys {
            ready: key("waiting"),
            reserved: key("reserved"),
            delayed: key("delayed"),
            quarantine: key("quarantine"),
            notify: None,
            timeout: Some(key("timeout")),
            failed: Some(key("failed")),
        }
    }

    /// True where the keys of this channel do not share a slot of the cluster.
    pub fn is_torn(&self, channel: &str) -> bool {
        self.cluster && !has_hash_tag(&self.keys(channel).ready)
    }

    /// Reads a message, in whichever shape.
    ///
    /// # Errors
    /// Where it is none, or its job cannot be read. What `unserialize()` cannot read either, a consumer from 3.1.9 on
    /// leaves reserved, whence it goes to the timeout list; all else, and before, it would drop.
    pub fn read(&self, raw: Bytes) -> Result<Payload, PayloadError> {
        let Some(message) = Message::read(&raw) else {
            let read = php::parse(&raw);
            let problem = match &read {
                Err(error) => format!("no value that unserialize() takes: {error}"),
                Ok(value) => match value.class() {
                    Some(class) => format!("an object of {class}"),
                    None => "no object".to_owned(),
                },
            };
            let is_read_as_nothing = read.as_ref().map_or(true, is_falsy);
            return Err(PayloadError::no_message(problem, is_read_as_nothing && self.leaves_unreadable()));
        };
        let job = php::Limits::default().parse_part(message.job, message.slot()).map_err(|error| {
            PayloadError::no_message(format!("its job is unreadable: {error}"), self.leaves_unreadable())
        })?;
        let max_tries = job.get("maxAttempts").and_then(Value::as_int).map(|most| self.max_tries(most));
        Payload::of_message(raw.clone(), job, message.attempts, max_tries)
            .map_err(|problem| PayloadError::no_message(problem, false))
    }

    /// From 3.1.9 on a message is reserved before it is unserialized; before, what could not be was lost.
    fn leaves_unreadable(&self) -> bool {
        self.version >= (3, 1, 9)
    }

    /// How often a job runs that has this `maxAttempts`. Up to 1.0.8 that was the number of runs, from then on of the
    /// runs after the first.
    fn max_tries(&self, max_attempts: i64) -> i64 {
        match self.version >= (1, 0, 9) {
            true => max_attempts.max(0).saturating_add(1),
            false => max_attempts.max(1),
        }
    }

    /// The rules of this version.
    pub fn rules(&self) -> Rules {
        Rules::hyperf(self.version)
    }
}

/// What PHP takes for false.
fn is_falsy(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Int(value) => value.get() == 0,
        Value::Float(value) => value.get() == 0.0,
        Value::Str(value) => matches!(value.as_bytes(), b"" | b"0"),
        Value::Array(array) => array.is_empty(),
        _ => false,
    }
}

/// What runs in Redis. No script looks into a message.
pub const SCRIPTS: Scripts = Scripts {
    exchange: concat!(
        include_str!("lua/hyperf.lua"),
        include_str!("lua/opaque.lua"),
        include_str!("lua/exchange.lua")
    ),
    renew: include_str!("lua/renew.lua"),
    recover: concat!(include_str!("lua/opaque.lua"), include_str!("lua/recover.lua")),
    push: concat!(include_str!("lua/hyperf.lua"), include_str!("lua/push.lua")),
    clear: include_str!("lua/clear.lua"),
};
