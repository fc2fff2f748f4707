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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: (u32, u32, u32)) -> Hyperf {
        Hyperf::new("").version(version)
    }

    /// In the shape of 3.1.8 and 3.2.
    fn message(job: &str) -> Bytes {
        format!("O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{{s:3:\"job\";{job}s:8:\"attempts\";i:0;}}").into()
    }

    fn read(job: &str) -> Payload {
        Hyperf::new("").read(message(job)).unwrap()
    }

    #[test]
    fn rows_1_3_and_32_the_channel_is_put_between_prefix_and_role_as_it_is() {
        let keys = Hyperf::new("app:").keys("{queue}");
        assert_eq!((&*keys.ready, &*keys.delayed), ("app:{queue}:waiting", "app:{queue}:delayed"));
        assert_eq!((&*keys.reserved, &*keys.quarantine), ("app:{queue}:reserved", "app:{queue}:quarantine"));
        assert_eq!(keys.own().collect::<Vec<_>>(), ["app:{queue}:timeout", "app:{queue}:failed"]);
        assert_eq!(of((2, 0, 25)).default_channel(), "queue");
        assert_eq!(of((2, 1, 0)).default_channel(), "{queue}");
    }

    #[test]
    fn a_cluster_wants_a_hash_tag() {
        let cluster = Hyperf { cluster: true, ..Hyperf::new("") };
        assert!(cluster.is_torn("queue") && !cluster.is_torn("{queue}") && !Hyperf::new("").is_torn("queue"));
    }

    #[test]
    fn rows_26_and_33_a_job_shows_its_properties_and_its_limit_whatever_their_visibility() {
        let job = "O:15:\"App\\Job\\PrivJob\":5:{s:14:\"\0*\0maxAttempts\";i:2;s:23:\"\0App\\Job\\PrivJob\0secret\";\
                   s:1:\"x\";s:4:\"\0*\0p\";b:1;s:1:\"f\";d:1.5;s:1:\"n\";N;}";
        #[derive(serde::Deserialize, PartialEq, Debug)]
        struct PrivJob {
            secret: String,
            p: bool,
            f: f64,
            n: Option<i64>,
        }
        let payload = read(job);
        let command = payload.command().unwrap();
        assert_eq!((payload.name(), payload.class()), ("App\\Job\\PrivJob", Some("App\\Job\\PrivJob")));
        assert_eq!((payload.max_tries(), payload.attempts()), (Some(3), 0));
        assert_eq!(command.serialized(), job.as_bytes());
        let expected = PrivJob { secret: "x".to_owned(), p: true, f: 1.5, n: None };
        assert_eq!(php::from_value::<PrivJob>(command.value().unwrap()), Ok(expected));
        let public = job.replace("s:14:\"\0*\0maxAttempts\"", "s:11:\"maxAttempts\"");
        assert_eq!(read(&public).max_tries(), Some(3));
    }

    #[test]
    fn row_11_how_often_a_job_runs_by_its_version() {
        for (version, most, runs) in [
            ((1, 0, 8), 0, 1),
            ((1, 0, 8), 1, 1),
            ((1, 0, 8), 2, 2),
            ((1, 0, 9), 0, 1),
            ((3, 2, 4), 2, 3),
            ((3, 2, 4), -1, 1),
        ] {
            let job = format!("O:1:\"A\":1:{{s:11:\"maxAttempts\";i:{most};}}");
            assert_eq!(
                of(version).read(message(&job)).unwrap().max_tries(),
                Some(runs),
                "{version:?} {most}"
            );
        }
        assert_eq!(read("O:1:\"A\":0:{}").max_tries(), None);
    }

    #[test]
    fn row_26_a_method_of_a_service_is_named_by_both_and_has_its_arguments_in_their_order() {
        let (limit, method) = ("i:1;", "s:5:\"class\";s:7:\"App\\Svc\";s:6:\"method\";s:4:\"send\";");
        let params = "s:6:\"params\";a:2:{i:0;s:5:\"a@b.c\";i:1;a:1:{s:1:\"y\";i:1;}}";
        let annotation =
            |properties: String| format!("O:31:\"Hyperf\\AsyncQueue\\AnnotationJob\":4:{{{properties}}}");
        for job in [
            annotation(format!("s:14:\"\0*\0maxAttempts\";{limit}{method}{params}")),
            annotation(format!("s:11:\"maxAttempts\";{limit}{params}{method}")),
        ] {
            let payload = read(&job);
            assert_eq!((payload.name(), payload.handler()), ("App\\Svc@send", Some("App\\Svc@send")));
            assert_eq!((payload.class(), payload.max_tries()), (Some("App\\Svc"), Some(2)));
            assert_eq!(payload.data().unwrap().get(), r#"["a@b.c",{"y":1}]"#);
            assert!(payload.command().is_none() && payload.arguments().is_some());
        }
    }

    #[test]
    fn references_in_a_job_lead_to_what_they_meant_whatever_its_shape() {
        let job = |same: usize, reference: usize| {
            format!(
                "O:14:\"App\\Job\\RefJob\":4:{{s:14:\"\0*\0maxAttempts\";i:0;s:1:\"a\";O:8:\"stdClass\":0:{{}}s:1:\"b\";r:{same};\
                 s:1:\"c\";a:2:{{i:0;i:5;i:1;R:{reference};}}}}"
            )
        };
        let inner = format!("a:2:{{i:0;{}i:1;i:0;}}", job(5, 8));
        let nested = format!("C:25:\"Hyperf\\AsyncQueue\\Message\":{}:{{{inner}}}", inner.len());
        for raw in [message(&job(4, 7)), nested.into()] {
            let payload = of((3, 1, 71)).read(raw).unwrap();
            let json = payload.command().unwrap().value().unwrap().to_json().unwrap();
            assert_eq!(json["b"], json["a"]);
            assert_eq!(json["c"], serde_json::json!([5, 5]));
        }
        let outward = Hyperf::new("").read(message("O:1:\"A\":1:{s:1:\"m\";r:1;}")).unwrap_err();
        assert!(outward.to_string().contains("its job is unreadable"), "{outward}");
    }

    #[test]
    fn rows_24_and_25_what_unserialize_takes_for_nothing_stays_and_all_else_that_is_dropped_does_not() {
        let stays = |version, bytes: &'static [u8]| {
            of(version).read(bytes.into()).map(|_| ()).unwrap_err().stays_reserved()
        };
        for nothing in [&b"garbage"[..], b"", b"N;", b"b:0;", b"i:0;", b"s:1:\"0\";", b"a:0:{}"] {
            assert!(stays((3, 1, 9), nothing) && !stays((3, 1, 8), nothing), "{}", nothing.escape_ascii());
        }
        let other = b"O:11:\"App\\Message\":2:{s:3:\"job\";N;s:8:\"attempts\";i:0;}";
        for dropped in [&other[..], b"a:1:{i:0;i:1;}", b"b:1;"] {
            assert!(!stays((3, 2, 4), dropped), "{}", dropped.escape_ascii());
        }
        let no_job = Hyperf::new("").read(message("i:5;")).unwrap_err();
        assert!(!no_job.stays_reserved() && no_job.to_string().contains("its job is no object"), "{no_job}");
        let broken = Hyperf::new("").read(message("O:1:\"A\":1:{")).unwrap_err();
        assert!(broken.stays_reserved(), "{broken}");
    }
}
