//! The pool of PHP children: stories held against queue:work, and faults: children killed, flooded, lied to and replaced,
//! with an account of every job. Never looks into the pool: log lines, Redis and what user code traced tell enough.

mod deploy;
mod faults;
mod shared;
mod stories;
mod think;
mod versions;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::support::differential::pooled;
use crate::support::laravel::App;
use crate::support::process::{Running, wait_until};
use crate::support::redis::Redis;

/// A worker with so many PHP children that tells everything.
fn start(app: &App, children: usize, flags: &[&str]) -> Running {
    let mut command = pooled(app, &[&[format!("--php={children}").as_str()], flags].concat());
    command.env("RUST_LOG", "debug");
    Running::start(command)
}

/// Ends a worker in order; what it said.
#[track_caller]
fn stop(worker: Running) -> String {
    worker.signal("TERM");
    let end = worker.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    end.stderr
}

/// Each child that has become ready, and how many were up then, in order.
fn readied(log: &str) -> Vec<(u32, usize)> {
    lines(log, "a PHP child is ready")
        .map(|line| (number(line, "pid"), number(line, "ready") as usize))
        .collect()
}

/// Each child that has ended, and how many were left up then, in order.
fn ended(log: &str) -> Vec<(u32, usize)> {
    let ends = lines(log, "a PHP child ")
        .filter(|line| line.contains(" was ended by ") || line.contains(" exited with "));
    ends.map(|line| (number(line, "pid"), number(line, "ready") as usize)).collect()
}

/// How many children were up at each change since there were so many for the first time.
fn up_since(log: &str, full: usize) -> Vec<usize> {
    let changes = lines(log, "a PHP child ").filter(|line| line.contains(" ready="));
    changes.map(|line| number(line, "ready") as usize).skip_while(|up| *up < full).collect()
}

fn lines<'a>(log: &'a str, said: &str) -> impl Iterator<Item = &'a str> {
    log.lines().filter(move |line| line.contains(said))
}

fn number(line: &str, field: &str) -> u32 {
    let rest = line.split_once(&format!(" {field}=")).map(|(_, rest)| rest);
    let digits = rest.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("{field} in {line:?}"))
}

/// A process is gone once it does nothing any more, collected or not.
fn is_gone(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    status.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with(['Z', 'X']))
}

#[track_caller]
fn wait_for_log(worker: &Running, said: &str) {
    wait_until(&format!("the worker to say {said:?}"), || worker.stderr().contains(said));
}

#[track_caller]
fn wait_until_up(worker: &Running, children: usize) {
    wait_until(&format!("{children} children"), || {
        readied(&worker.stderr()).iter().any(|(_, up)| *up == children)
    });
}

fn length(redis: &Redis, command: &str, key: &str) -> usize {
    redis.query(&[command, key])
}

/// True once nothing of these queues waits, is put off or runs.
fn is_settled(redis: &Redis, app: &App, queues: &[&str]) -> bool {
    queues.iter().all(|queue| {
        let key = app.key(&format!("queues:{queue}"));
        // In one transaction: a job moves from one to the other.
        let all: (usize, usize, usize) = redis::pipe()
            .atomic()
            .llen(&key)
            .zcard(format!("{key}:delayed"))
            .zcard(format!("{key}:reserved"))
            .query(&mut redis.connect(0))
            .expect("three counts");
        all == (0, 0, 0)
    })
}

/// What became of every job: the trace is read as lines `Class name attempt n`, others are not runs.
#[derive(Debug, Default, PartialEq)]
struct Account {
    /// Expected, but never ran.
    lost: BTreeSet<String>,
    /// Ran, but nobody had pushed them.
    unexpected: BTreeSet<String>,
    /// Attempts that ran more than once, and after how many.
    duplicated: BTreeMap<String, usize>,
    /// Ran again after a first attempt, and how many attempts they had in all.
    recovered: BTreeMap<String, usize>,
}

impl Account {
    /// Of the jobs so called (`Succeed s-1`).
    fn of(trace: &[String], expected: &BTreeSet<String>) -> Account {
        let mut runs: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for line in trace {
            let mut words = line.split(' ');
            let called = words.by_ref().take_while(|word| *word != "attempt").collect::<Vec<_>>().join(" ");
            let (Some(attempt), None) = (words.next(), words.next()) else { continue };
            *runs.entry(called).or_default().entry(attempt.to_owned()).or_default() += 1;
        }
        let ran = runs.keys().cloned().collect();
        let repeated = |(called, attempts): (&String, &BTreeMap<String, usize>)| {
            attempts
                .iter()
                .filter(|(_, count)| **count > 1)
                .map(|(attempt, count)| (format!("{called} attempt {attempt}"), *count))
                .collect::<Vec<_>>()
        };
        Account {
            lost: expected.difference(&ran).cloned().collect(),
            unexpected: ran.difference(expected).cloned().collect(),
            duplicated: runs.iter().flat_map(repeated).collect(),
            recovered: runs
                .iter()
                .filter(|(_, attempts)| attempts.len() > 1)
                .map(|(called, attempts)| (called.clone(), attempts.len()))
                .collect(),
        }
    }
}

/// What a folder holds whose names begin so.
fn named(folder: &Path, prefix: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with(prefix)).collect()
}
