//! Accounts of jobs: each tells a Redis of its own, which no test attacks, that it started and that it ended, and in
//! which process. Works out what was lost, unexpected, duplicated, unfinished. Never decides what is allowed.

use std::collections::{BTreeMap, BTreeSet};

use redis::{Commands, Connection};
use serde_json::{Value, json};

use super::redis::Redis;

/// Jobs asked for at once.
const PORTION: usize = 1000;

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
    pub what: What,
}

/// What a job says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Starts,
    /// It is about to be released, or to throw.
    Returns,
    Ends,
}

/// What became of every job that was pushed. Holds names only of what is not as it should be, so that a million jobs
/// fit.
#[derive(Debug, Default)]
pub struct Account {
    /// All that were pushed.
    pub pushed: usize,
    /// Started at least once.
    pub started: usize,
    /// Ended exactly once.
    pub done: usize,
    /// Pushed, never ended.
    pub lost: BTreeSet<String>,
    /// Never pushed, started nevertheless.
    pub unexpected: BTreeSet<String>,
    /// Started more than once, with all entries.
    pub repeated: BTreeMap<String, Vec<Entry>>,
    /// Ended more than once.
    pub ended_twice: BTreeSet<String>,
    /// How many starts each process has written.
    pub starts: BTreeMap<u32, usize>,
}

impl Tally {
    /// An empty one.
    pub fn start() -> Tally {
        Tally::of(Redis::start())
    }

    /// In this Redis, with what it holds.
    pub fn of(redis: Redis) -> Tally {
        Tally { redis }
    }

    /// Its socket, as the jobs are told it.
    pub fn socket(&self) -> String {
        self.redis.socket().display().to_string()
    }

    /// A connection for who writes entries from within a test.
    pub fn connect(&self) -> Connection {
        self.redis.connect(0)
    }

    /// Sends its server a signal: while it is stopped ("STOP", "CONT"), whoever starts a job stands still in it.
    pub fn signal(&self, name: &str) {
        self.redis.signal(name);
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

    /// What each of these jobs has written, in their order.
    pub fn histories(&self, names: &[String]) -> Vec<Vec<Entry>> {
        let mut connection = self.redis.connect(0);
        names.chunks(PORTION).flat_map(|names| entries(&mut connection, names)).collect()
    }

    /// Holds what ran against what was pushed, a portion at a time.
    pub fn account(&self, pushed: impl IntoIterator<Item = String, IntoIter: Clone>) -> Account {
        let pushed = pushed.into_iter();
        let mut connection = self.redis.connect(0);
        let mut account = Account::default();
        let mut rest = pushed.clone();
        loop {
            let names: Vec<String> = rest.by_ref().take(PORTION).collect();
            if names.is_empty() {
                break;
            }
            let entries = entries(&mut connection, &names);
            names.into_iter().zip(entries).for_each(|(name, entries)| account.add(name, entries));
        }
        if self.started() > account.started {
            account.unexpected = strangers(&mut connection, &pushed.collect());
        }
        account
    }
}

impl Account {
    fn add(&mut self, name: String, entries: Vec<Entry>) {
        let count = |what| entries.iter().filter(|entry| entry.what == what).count();
        let (starts, ends) = (count(What::Starts), count(What::Ends));
        self.pushed += 1;
        self.started += usize::from(starts > 0);
        for start in entries.iter().filter(|entry| entry.what == What::Starts) {
            *self.starts.entry(start.pid).or_default() += 1;
        }
        match ends {
            0 => drop(self.lost.insert(name.clone())),
            1 => self.done += 1,
            _ => drop(self.ended_twice.insert(name.clone())),
        }
        if starts > 1 {
            self.repeated.insert(name, entries);
        }
    }

    /// Every repeated start is the consequence of an end of the process that had the job: all its earlier starts were
    /// in processes of this list.
    pub fn repeated_without_cause(&self, killed: &BTreeSet<u32>) -> BTreeMap<&str, &[Entry]> {
        let unexplained = self.repeated.iter().filter(|(_, entries)| {
            let starts: Vec<&Entry> = entries.iter().filter(|entry| entry.what == What::Starts).collect();
            !starts[..starts.len() - 1].iter().all(|start| killed.contains(&start.pid))
        });
        unexplained.map(|(name, entries)| (name.as_str(), entries.as_slice())).collect()
    }

    /// In one line, for reports and failed assertions.
    pub fn summary(&self) -> String {
        let Account { pushed, started, done, lost, unexpected, repeated, ended_twice, .. } = self;
        let [lost, unexpected] = [lost, unexpected].map(BTreeSet::len);
        let (repeated, ended_twice) = (repeated.len(), ended_twice.len());
        format!(
            "pushed {pushed}, started {started}, done once {done}, lost {lost}, unexpected {unexpected}, \
             repeated {repeated}, ended twice {ended_twice}"
        )
    }
}

/// The entries of these jobs, in their order.
fn entries(connection: &mut Connection, names: &[String]) -> Vec<Vec<Entry>> {
    let mut pipe = redis::pipe();
    for name in names {
        pipe.lrange(name, 0, -1);
    }
    let lines: Vec<Vec<String>> = pipe.query(connection).expect("the tally");
    lines.iter().map(|lines| parsed(lines)).collect()
}

/// Jobs that have entries and are not among these.
fn strangers(connection: &mut Connection, known: &BTreeSet<String>) -> BTreeSet<String> {
    let options = redis::ScanOptions::default().with_count(PORTION);
    let names = connection.scan_options::<String>(options).expect("the tally");
    names.map(|name| name.expect("the tally")).filter(|name| !known.contains(name)).collect()
}

fn parsed(lines: &[String]) -> Vec<Entry> {
    let entry = |line: &String| {
        let mut words = line.split(':');
        let (by, pid, what) = (words.next()?, words.next()?, words.next()?);
        let what = match what {
            "starts" => What::Starts,
            "returns" => What::Returns,
            "ends" => What::Ends,
            _ => return None,
        };
        Some(Entry { by: by.to_owned(), pid: pid.parse().ok()?, what })
    };
    lines.iter().map(|line| entry(line).unwrap_or_else(|| panic!("a tally's line: {line:?}"))).collect()
}
