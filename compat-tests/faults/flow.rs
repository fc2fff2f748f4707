//! A worker as these tests start and watch it, and jobs pushed to it as Laravel pushes them. Never decides what may
//! become of them.

use std::ops::{Deref, DerefMut};

use redis::RedisResult;

use super::worker;
use crate::support::process::{Running, wait_until};
use crate::support::tally::Tally;

/// A worker whose log is shown when its test fails.
pub(super) struct Watched(Option<Running>);

impl Deref for Watched {
    type Target = Running;
    fn deref(&self) -> &Running {
        self.0.as_ref().expect("not stopped")
    }
}

impl DerefMut for Watched {
    fn deref_mut(&mut self) -> &mut Running {
        self.0.as_mut().expect("not stopped")
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(worker) = self.0.as_ref().filter(|_| std::thread::panicking()) {
            let (log, lines) = (worker.stderr(), worker.stdout().lines().count());
            let (first, last): (Vec<&str>, Vec<&str>) =
                (log.lines().take(20).collect(), log.lines().rev().take(40).collect());
            let last: Vec<&str> = last.into_iter().rev().collect();
            eprintln!("{lines} job lines, and this log:\n{}\n[...]\n{}", first.join("\n"), last.join("\n"));
        }
    }
}

/// A worker of these queues that tells everything it does. Its leases outlive any test: what must not run twice does not
/// do so because a machine was slow.
pub(super) fn start(url: &str, queues: &str, flags: &[&str]) -> Watched {
    let queues = format!("--queue={queues}");
    let mut command = worker(url, &[&["--lease=600", "--tries=5", &queues], flags].concat());
    command.env("RUST_LOG", "handover=debug");
    Watched(Some(Running::start(command)))
}

/// Ends it in order; what it said.
#[track_caller]
pub(super) fn stop(mut worker: Watched) -> String {
    worker.signal("TERM");
    wait_until("the worker to end", || !worker.is_running());
    let end = worker.0.take().expect("not stopped").finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert!(!end.stderr.contains("panicked"), "{}", end.stderr);
    end.stderr
}

/// Pushes jobs that write to the tally, each with its wake-up token.
pub(super) fn push(
    connection: &mut redis::Connection,
    tally: &Tally,
    queue: &str,
    names: &[String],
    seconds: f64,
) -> RedisResult<()> {
    let list = format!("queues:{queue}");
    let notify = format!("{list}:notify");
    let mut pipe = redis::pipe();
    pipe.atomic();
    for name in names {
        pipe.rpush(&list, tally.payload(name, seconds)).ignore().rpush(&notify, 1).ignore();
    }
    pipe.query(connection)
}

/// `name-0`, `name-1` and so on.
pub(super) fn names(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{name}-{n}")).collect()
}

/// Waits until each of these jobs has ended once at least.
#[track_caller]
pub(super) fn wait_for_ends(tally: &Tally, names: &[String]) {
    wait_until("all jobs to end", || tally.account(names.iter().cloned()).lost.is_empty());
}

/// Waits until the worker has said this so many times.
#[track_caller]
pub(super) fn wait_for_log(worker: &mut Watched, said: &str, times: usize) {
    wait_until(&format!("the worker to say {said:?}"), || {
        let log = worker.stderr();
        assert!(worker.is_running(), "it ended:\n{log}");
        log.matches(said).count() >= times
    });
}

/// Waits until the worker is told that its Redis does not serve it, for this reason.
#[track_caller]
pub(super) fn wait_until_down(worker: &mut Watched, reason: &str) {
    wait_until(&format!("the worker to say {reason:?}"), || {
        let log = worker.stderr();
        assert!(worker.is_running(), "it ended:\n{log}");
        log.lines().any(|line| line.contains("trying again") && line.contains(reason))
    });
}

/// Every job ran exactly once.
#[track_caller]
pub(super) fn assert_each_ran_once(tally: &Tally, names: &[String]) {
    let account = tally.account(names.iter().cloned());
    let fine = account.done == names.len() && account.repeated.is_empty() && account.unexpected.is_empty();
    assert!(fine, "{}: {account:?}", account.summary());
}
