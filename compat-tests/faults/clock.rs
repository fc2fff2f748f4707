//! A worker whose clock goes wrong by half a minute, beside a PHP worker whose clock is right: nothing is lost, nothing
//! runs twice, and the worker says so. Never moves the machine's clock.

use serde_json::json;

use super::{length, stop};
use crate::support::differential::{handover, php};
use crate::support::laravel::App;
use crate::support::process::{Running, wait_until};
use crate::support::redis::Redis;

/// A worker whose clock is so many seconds ahead of everybody's.
fn start(app: &App, shift: &str) -> Running {
    let mut command = handover(app, &["--concurrency=4"]);
    command.env("CLOCK_SHIFT", shift);
    Running::start(command)
}

/// Jobs at once, put off, released and failing; what each of them leaves in the trace, once.
fn push(app: &App) -> Vec<String> {
    app.push(&json!([
        {"job": "Succeed", "args": ["now-%i"], "count": 20},
        {"job": "Succeed", "args": ["soon-%i"], "count": 20, "delay": 1},
        {"job": "ReleasesItself", "args": ["released-%i", 1, 1], "count": 20, "with": {"tries": 2}},
        {"job": "ThrowsThenSucceeds", "args": ["thrown-%i", 1], "count": 20,
         "with": {"tries": 2, "backoff": 1}},
        {"job": "ThrowsAlways", "args": ["failed-%i"], "count": 20}
    ]));
    let each = |line: &str| (0..20).map(|n| line.replace('%', &n.to_string())).collect::<Vec<_>>();
    let mut lines = [
        "Succeed now-% attempt 1",
        "Succeed soon-% attempt 1",
        "ReleasesItself released-% attempt 1",
        "ReleasesItself released-% attempt 2",
        "ThrowsThenSucceeds thrown-% attempt 1",
        "ThrowsThenSucceeds thrown-% attempt 2",
        "ThrowsAlways failed-% attempt 1",
        "ThrowsAlways failed-% failed RuntimeException: boom",
    ]
    .map(each)
    .concat();
    lines.sort();
    lines
}

/// The worker's clock and Redis' are read one after the other, in whole seconds.
fn says_that_its_clock_is_wrong(worker: &Running, how: &str) -> bool {
    let said = [29, 30, 31].map(|seconds| format!("this host's clock is {seconds} s {how} Redis'"));
    let log = worker.stderr();
    log.lines().any(|line| line.contains("WARN") && said.iter().any(|said| line.contains(said)))
}

fn a_clock_that_is_wrong_by(shift: &str, how: &str) {
    let redis = Redis::start();
    let app = App::new(&redis);
    let right = Running::start(php(&app, &[]));
    let wrong = start(&app, shift);
    let expected = push(&app);
    wait_until("all is settled", || {
        let key = app.key("queues:default");
        let left = [
            ("LLEN", key.clone()),
            ("ZCARD", format!("{key}:delayed")),
            ("ZCARD", format!("{key}:reserved")),
        ];
        left.iter().all(|(command, key)| length(&redis, command, key) == 0)
            && app.trace().len() >= expected.len()
    });
    wait_until("it says that its clock is wrong", || says_that_its_clock_is_wrong(&wrong, how));
    let log = stop(wrong);
    stop(right);
    let mut trace = app.trace();
    trace.sort();
    assert_eq!(trace, expected, "{log}");
    assert_eq!(app.failed_rows().len(), 20);
}

#[test]
fn a_clock_half_a_minute_ahead_loses_nothing_and_is_told() {
    a_clock_that_is_wrong_by("30", "ahead of");
}

#[test]
fn a_clock_half_a_minute_behind_loses_nothing_and_is_told() {
    a_clock_that_is_wrong_by("-30", "behind");
}
