//! Accounts of jobs: each tells a Redis of its own, which no test attacks, that it started and that it ended, and in
//! which process. Works out what was lost, unexpected, duplicated, unfinished. Never decides what is allowed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::{Value, json};

use super::redis::Redis;

/// The Redis that the jobs `Counted` write to.
pub struct Tally {
    redis: Redis,
}

/// One entry of a job, in the order written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `rust` or `php`.
    pub by: String,
    pub pid: u32,
    /// Else it ended.
    pub started: bool,
}

/// What became of every job that was pushed.
#[derive(Debug, Default)]
pub struct Account {
    /// Pushed, never ended.
    pub lost: BTreeSet<String>,
    /// Never pushed, started nevertheless.
    pub unexpected: BTreeSet<String>,
    /// Started more than once, with all entries.
    pub repeated: BTreeMap<String, Vec<Entry>>,
    /// Ended more than once.
    pub ended_twice: BTreeSet<String>,
    /// Ended exactly once.
    pub done: usize,
}

impl Tally {
    /// An empty one.
    pub fn start() -> Tally {
        Tally { redis: Redis::start() }
    }

    /// Its socket, as the jobs are told it.
    pub fn socket(&self) -> String {
        self.redis.socket().display().to_string()
    }

    /// The payload of a string job `Counted` that any queue can be pushed, as PHP would write it.
    pub fn payload(&self, name: &str, seconds: f64) -> String {
        let data = json!({"name": name, "tally": self.socket(), "seconds": seconds});
        let payload: Value = json!({
            "uuid": name, "displayName": "Counted", "job": "Counted", "maxTries": null, "maxExceptions": null,
            "failOnTimeout": false, "backoff": null, "timeout": null, "data": data, "id": name, "attempts": 0,
        });
        payload.to_string()
    }

    /// How many entries a job has written.
    pub fn entries(&self, name: &str) -> usize {
        self.redis.query(&["LLEN", name])
    }

    /// How many jobs have started.
    pub fn started(&self) -> usize {
        self.redis.query(&["DBSIZE"])
    }

    /// All entries by job.
    pub fn read(&self) -> BTreeMap<String, Vec<Entry>> {
        let mut connection = self.redis.connect(0);
        let names: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).expect("the tally");
        let mut entries = BTreeMap::new();
        for part in names.chunks(1000) {
            let mut pipe = redis::pipe();
            for name in part {
                pipe.lrange(name, 0, -1);
            }
            let lines: Vec<Vec<String>> = pipe.query(&mut connection).expect("the tally");
            entries.extend(part.iter().cloned().zip(lines.iter().map(|lines| parsed(lines))));
        }
        entries
    }

    /// Holds what ran against what was pushed.
    pub fn account(&self, pushed: impl IntoIterator<Item = String>) -> Account {
        let read = self.read();
        let pushed: BTreeSet<String> = pushed.into_iter().collect();
        let mut account = Account::default();
        for name in &pushed {
            let ends =
                read.get(name).map_or(0, |entries| entries.iter().filter(|entry| !entry.started).count());
            match ends {
                0 => drop(account.lost.insert(name.clone())),
                1 => account.done += 1,
                _ => drop(account.ended_twice.insert(name.clone())),
            }
        }
        for (name, entries) in read {
            if !pushed.contains(&name) {
                account.unexpected.insert(name.clone());
            }
            if entries.iter().filter(|entry| entry.started).count() > 1 {
                account.repeated.insert(name, entries);
            }
        }
        account
    }
}

impl Account {
    /// Every repeated start is the consequence of an end of the process that had the job: all its earlier starts were
    /// in processes of this list.
    pub fn repeated_without_cause(&self, killed: &BTreeSet<u32>) -> BTreeMap<&str, &[Entry]> {
        let unexplained = self.repeated.iter().filter(|(_, entries)| {
            let starts: Vec<&Entry> = entries.iter().filter(|entry| entry.started).collect();
            !starts[..starts.len() - 1].iter().all(|start| killed.contains(&start.pid))
        });
        unexplained.map(|(name, entries)| (name.as_str(), entries.as_slice())).collect()
    }

    /// In one line, for reports and failed assertions.
    pub fn summary(&self) -> String {
        let mut line = String::new();
        let Account { lost, unexpected, repeated, ended_twice, done } = self;
        let counts = [lost.len(), unexpected.len(), repeated.len(), ended_twice.len()];
        let _ = write!(
            line,
            "{done} done once, lost {}, unexpected {}, recovered or repeated {}, ",
            counts[0], counts[1], counts[2]
        );
        let _ = write!(line, "ended twice {}", counts[3]);
        line
    }
}

fn parsed(lines: &[String]) -> Vec<Entry> {
    let entry = |line: &String| {
        let mut words = line.split(':');
        let (by, pid, what) = (words.next()?, words.next()?, words.next()?);
        Some(Entry { by: by.to_owned(), pid: pid.parse().ok()?, started: what == "starts" })
    };
    lines.iter().map(|line| entry(line).unwrap_or_else(|| panic!("a tally's line: {line:?}"))).collect()
}
