//! A worker as these tests start and watch it, and jobs pushed to it as Laravel pushes them. Never decides what may become of
//! them.

use redis::RedisResult;

use super::worker;
use crate::support::process::{Running, wait_until};
use crate::support::tally::Tally;

/// A worker of these queues that tells everything it does. Its leases are as short as they may be.
pub(super) fn start(url: &str, queues: &str, flags: &[&str]) -> Running {
    let queues = format!("--queue={queues}");
    let mut command = worker(url, &[&["--lease=10", "--tries=5", &queues], flags].concat());
    command.env("RUST_LOG", "handover=debug");
    Running::start(command)
}

/// Ends it in order; what it said.
#[track_caller]
pub(super) fn stop(worker: Running) -> String {
    worker.signal("TERM");
    let end = worker.finish();
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
pub(super) fn wait_for_log(worker: &mut Running, said: &str, times: usize) {
    wait_until(&format!("the worker to say {said:?}"), || {
        let log = worker.stderr();
        assert!(worker.is_running(), "it ended:\n{log}");
        log.matches(said).count() >= times
    });
}

/// Waits until the worker is told that its Redis does not serve it, for this reason.
#[track_caller]
pub(super) fn wait_until_down(worker: &mut Running, reason: &str) {
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
