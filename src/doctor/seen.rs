//! What Redis shows of itself and of the queues, as far as it may be asked.
//!
//! Never judges and never writes. Counterpart in PHP: none.

use std::collections::BTreeSet;

use redis::{Cmd, FromRedisValue, cmd};

use crate::clock::Clock;
use crate::config::Config;
use crate::dialect::Dialect;
use crate::redis::{Error, Redis, WAITER};

/// Calls of SCAN at most, and the keys that each looks at.
const SCANS: usize = 100;
const SCANNED: usize = 1000;
/// A supervisor of Horizon that has said nothing for so long is gone.
const HORIZON_ALIVE: i64 = 29;

/// What was seen.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// The server's version.
    pub(super) version: String,
    /// Bytes that it may hold; 0 without a limit.
    pub(super) maxmemory: u64,
    /// What it does above that.
    pub(super) policy: String,
    /// Seconds that Redis' clock is ahead of this one's.
    pub(super) skew: f64,
    /// The app's prefix.
    pub(super) prefix: String,
    /// Whose queues these are: each names and tags its keys in its own way.
    pub(super) dialect: Dialect,
    /// Keys with `queues:` in them.
    pub(super) keys: BTreeSet<String>,
    /// All keys were looked at.
    pub(super) scanned_all: bool,
    /// Keys of all queues are on this server.
    pub(super) single: bool,
    /// Each queue: its name, ready jobs, wake-up tokens, and the tokens' key.
    pub(super) queues: Vec<(String, u64, u64, String)>,
    /// Addresses of others that wait for list elements in this database.
    pub(super) waiting: Vec<String>,
    /// Horizon's supervisors that are alive.
    pub(super) supervisors: Vec<String>,
    /// What Redis refused, and what could not be checked therefore.
    pub(super) refused: Vec<String>,
}

pub(super) async fn look(redis: &Redis, config: &Config) -> Result<Seen, Error> {
    let prefix = config.dialect.prefix().to_owned();
    let mut look = Look { redis, key: config.dialect.keys(&config.queues[0]).ready, seen: Seen::default() };
    look.seen.prefix = prefix;
    look.seen.dialect = config.dialect.clone();
    look.seen.single = !redis.is_cluster();
    look.skew().await?;
    look.info().await;
    look.keys().await;
    for queue in &config.queues {
        let keys = config.dialect.keys(queue);
        let length = async |key: &str| look.redis.query(key, cmd("LLEN").arg(key)).await.unwrap_or(0);
        let ready = length(&keys.ready).await;
        let (tokens, key) = match keys.notify {
            Some(key) => (length(&key).await, key),
            // Nothing to find fault with.
            None => (ready, String::new()),
        };
        look.seen.queues.push((queue.clone(), ready, tokens, key));
    }
    look.clients().await;
    if let Some(prefix) = config.app.as_ref().and_then(|app| app.horizon_prefix.as_deref()) {
        let key = format!("{prefix}supervisors");
        let mut command = cmd("ZRANGEBYSCORE");
        command.arg(&key).arg(Clock::system().now() - HORIZON_ALIVE).arg("+inf").arg("LIMIT").arg(0).arg(10);
        look.seen.supervisors = redis.query(&key, &command).await.unwrap_or_default();
    }
    Ok(look.seen)
}

struct Look<'a> {
    redis: &'a Redis,
    /// A key of the queue's, which leads to its server.
    key: String,
    seen: Seen,
}

impl Look<'_> {
    /// An answer, or nothing and a word on what could not be checked.
    async fn ask<T: FromRedisValue>(&mut self, command: &Cmd, name: &str, unchecked: &str) -> Option<T> {
        match self.redis.query(&self.key, command).await {
            Ok(answer) => Some(answer),
            Err(error) => {
                self.seen.refused.push(format!("{name} was refused ({error}): {unchecked}"));
                None
            }
        }
    }

    async fn skew(&mut self) -> Result<(), Error> {
        // The first call dials; its time says nothing.
        self.redis.time(&self.key).await?;
        let before = precise();
        let (seconds, micros): (u32, u32) = self.redis.query(&self.key, &cmd("TIME")).await?;
        let after = precise();
        let theirs = f64::from(seconds) + f64::from(micros) / 1e6;
        // Within the time of the call nothing is known.
        self.seen.skew = if theirs < before { theirs - before } else { (theirs - after).max(0.0) };
        Ok(())
    }

    async fn info(&mut self) {
        let unchecked = "its version and whether it may drop jobs when it is full could not be checked";
        let Some(info) = self.ask::<String>(&cmd("INFO"), "INFO", unchecked).await else { return };
        let value = |name: &str| {
            info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default()
        };
        self.seen.version = value("redis_version").to_owned();
        self.seen.maxmemory = value("maxmemory").parse().unwrap_or(0);
        self.seen.policy = value("maxmemory_policy").to_owned();
    }

    async fn keys(&mut self) {
        let mut cursor = "0".to_owned();
        for _ in 0..SCANS {
            let mut command = cmd("SCAN");
            command.arg(&cursor).arg("MATCH").arg("*queues:*").arg("COUNT").arg(SCANNED);
            let unchecked = "whether there are queues under another prefix could not be checked";
            let found = self.ask::<(String, Vec<Vec<u8>>)>(&command, "SCAN", unchecked).await;
            let Some((next, keys)) = found else { return };
            self.seen.keys.extend(keys.iter().map(|key| String::from_utf8_lossy(key).into_owned()));
            cursor = next;
            if cursor == "0" {
                self.seen.scanned_all = true;
                return;
            }
        }
    }

    async fn clients(&mut self) {
        let unchecked = "whether others wait on the queues could not be checked";
        let list = self.ask::<String>(cmd("CLIENT").arg("LIST"), "CLIENT LIST", unchecked).await;
        let Some(list) = list else { return };
        // Redis 6.2 and later; before that every database's clients count.
        let own = self.redis.query::<String>(&self.key, cmd("CLIENT").arg("INFO")).await.unwrap_or_default();
        let database = field(&own, "db").map(str::to_owned);
        let waits = |client: &&str| {
            field(client, "flags").is_some_and(|flags| flags.contains('b'))
                && field(client, "cmd")
                    .is_some_and(|command| matches!(command, "blpop" | "brpop" | "blmove" | "brpoplpush"))
                && field(client, "name") != Some(WAITER)
                && (database.is_none() || field(client, "db") == database.as_deref())
        };
        let address = |client: &str| field(client, "addr").unwrap_or("an unknown address").to_owned();
        self.seen.waiting = list.lines().filter(waits).map(address).collect();
    }
}

/// A field of one line of CLIENT LIST.
fn field<'a>(client: &'a str, name: &str) -> Option<&'a str> {
    client.split_whitespace().find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
}

fn precise() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0.0, |now| now.as_secs_f64())
}
