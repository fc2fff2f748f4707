//! Everything a worker can leave behind, as a value: each key of each Redis database, each row of the application's
//! tables. Also moves that state about: copies it to another Redis, lets time pass in it. Never judges it.

use std::collections::{BTreeMap, BTreeSet};

use redis::Commands;
use serde_json::{Map, Value};

use super::laravel::App;
use super::redis::Redis;

/// Bytes as they stand in Redis.
pub type Bytes = Vec<u8>;

/// A row of a table, by column.
pub type Row = Map<String, Value>;

/// The tables a worker writes to, and the order in which their rows are read.
const TABLES: [(&str, &str); 4] =
    [("failed_jobs", "rowid"), ("job_batches", "rowid"), ("cache", "key"), ("cache_locks", "key")];

/// The state at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// By database and key.
    pub keys: BTreeMap<(u32, String), Key>,
    /// By table, in the order of their ids, those of the cache by key.
    pub tables: BTreeMap<String, Vec<Row>>,
}

/// One key of Redis.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    pub value: Stored,
    /// The Unix time at which it expires.
    pub expires: Option<f64>,
}

/// What a key holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Stored {
    Text(Bytes),
    List(Vec<Bytes>),
    Zset(Vec<(Bytes, f64)>),
    Hash(BTreeMap<Bytes, Bytes>),
    Set(BTreeSet<Bytes>),
}

impl Snapshot {
    /// Reads it all. The workers should be at rest.
    pub fn take(redis: &Redis, app: &App) -> Snapshot {
        let select = TABLES.map(|(table, order)| format!("SELECT * FROM {table} ORDER BY {order}"));
        let tables = TABLES.iter().zip(app.sql_each(&select)).map(|((table, _), rows)| {
            let rows = rows.as_array().into_iter().flatten().filter_map(Value::as_object);
            ((*table).to_owned(), rows.cloned().collect())
        });
        Snapshot { keys: keys(redis), tables: tables.collect() }
    }

    /// The value of a key of database 0.
    pub fn get(&self, key: &str) -> Option<&Stored> {
        self.keys.get(&(0, key.to_owned())).map(|key| &key.value)
    }

    /// The members of a list or a sorted set of database 0; none if there is no such key.
    pub fn members(&self, key: &str) -> Vec<Bytes> {
        match self.get(key) {
            Some(Stored::List(items)) => items.clone(),
            Some(Stored::Zset(members)) => members.iter().map(|(member, _)| member.clone()).collect(),
            _ => Vec::new(),
        }
    }
}

/// The Unix time of this machine.
pub fn now() -> f64 {
    let since = std::time::UNIX_EPOCH.elapsed().expect("a clock after 1970");
    since.as_secs_f64()
}

/// Every key of every database.
pub fn keys(redis: &Redis) -> BTreeMap<(u32, String), Key> {
    let mut found = BTreeMap::new();
    for db in databases(redis) {
        let mut connection = redis.connect(db);
        let names: Vec<String> = connection.keys("*").expect("KEYS");
        for name in names {
            let left: i64 = connection.pttl(&name).expect("PTTL");
            let expires = (left >= 0).then(|| now() + left as f64 / 1000.0);
            let kind: String = redis::cmd("TYPE").arg(&name).query(&mut connection).expect("TYPE");
            let value = match kind.as_str() {
                "string" => connection.get(&name).map(Stored::Text),
                "list" => connection.lrange(&name, 0, -1).map(Stored::List),
                "zset" => connection.zrange_withscores(&name, 0, -1).map(Stored::Zset),
                "hash" => connection.hgetall(&name).map(Stored::Hash),
                "set" => connection.smembers(&name).map(Stored::Set),
                "none" => continue,
                other => panic!("{name} is a {other}"),
            };
            found.insert((db, name), Key { value: value.expect("a value"), expires });
        }
    }
    found
}

/// Adds everything one Redis holds to another, byte for byte: lists at their tail, the rest replaced.
pub fn pour(from: &Redis, into: &Redis) {
    fill(into, keys(from));
}

/// Adds keys to a Redis: lists at their tail, the rest replaced.
pub fn fill(into: &Redis, keys: BTreeMap<(u32, String), Key>) {
    for ((db, name), key) in keys {
        let mut connection = into.connect(db);
        let done: redis::RedisResult<()> = match key.value {
            Stored::Text(text) => connection.set(&name, text),
            Stored::List(items) => connection.rpush(&name, items),
            Stored::Zset(members) => {
                members.iter().try_for_each(|(member, score)| connection.zadd(&name, member, *score))
            }
            Stored::Hash(fields) => connection.hset_multiple(&name, &Vec::from_iter(fields)),
            Stored::Set(members) => connection.sadd(&name, Vec::from_iter(members)),
        };
        done.expect("a copy");
        if let Some(expires) = key.expires {
            let () = connection.pexpire_at(&name, (expires * 1000.0) as i64).expect("PEXPIREAT");
        }
    }
}

/// Lets time pass: every score becomes this much earlier, every expiry this much closer.
pub fn shift(redis: &Redis, seconds: i64) {
    for ((db, name), key) in keys(redis) {
        let mut connection = redis.connect(db);
        if let Stored::Zset(members) = key.value {
            for (member, _) in members {
                let _: f64 = connection.zincr(&name, member, -seconds).expect("ZINCRBY");
            }
        }
        if let Some(expires) = key.expires {
            let () =
                connection.pexpire_at(&name, (expires * 1000.0) as i64 - seconds * 1000).expect("PEXPIREAT");
        }
    }
}

fn databases(redis: &Redis) -> Vec<u32> {
    let info: String = redis.query(&["INFO", "keyspace"]);
    info.lines().filter_map(|line| line.strip_prefix("db")?.split_once(':')?.0.parse().ok()).collect()
}
