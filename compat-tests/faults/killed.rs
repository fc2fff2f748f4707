//! A worker that is killed, or told to stop, in the midst of many jobs: none is lost, and each goes on as its framework
//! would have it. Never stops one for a while: that is in `stopped.rs`.

use crate::faults::length;
use crate::support::process::{Running, wait_until};
use crate::support::site::Site;
use crate::support::snapshot::shift;
use crate::support::wire::{Wire, made, on_every_wire};

on_every_wire! {
    a_killed_worker_loses_none_of_fifty_jobs,
    after_a_kill_jobs_with_one_try_end_as_in_php,
    sigterm_with_grace_hands_unfinished_jobs_back_in_their_first_order,
}

/// Fifty jobs are running when their worker is killed; all that they wait for is there afterwards.
fn killed_with_fifty_running(site: &Site, tries: i64) {
    site.push((0..50).map(|n| made("WaitsForGate", format!("g-{n}")).tries(tries)));
    let worker = Running::start(site.worker(&["--concurrency=50"]));
    wait_until("fifty jobs run", || site.traced("attempt 1 waits") == 50);
    worker.signal("KILL");
    assert_eq!(worker.finish().code, 128 + 9);
    assert_eq!(site.scores("reserved").len(), 50);
    (0..50).for_each(|n| site.open_gate(&format!("g-{n}")));
    shift(&site.redis, 200);
}

/// Another one works until nothing is left. What its framework does not bring back by itself, an operator does.
fn work_on(site: &Site, tries: i64) {
    let flags = ["--stop-when-empty", "--concurrency=50", &format!("--tries={tries}")];
    let work = || {
        let end = Running::start(site.worker(&flags)).finish();
        assert_eq!(end.code, 0, "{}", end.stderr);
        assert_eq!((site.ready().len(), site.scores("reserved").len()), (0, 0));
    };
    work();
    if let Some(timeout) = site.wire.timeout() {
        assert_eq!(site.list(&timeout).len(), 50);
        assert_eq!(site.trace().len(), 50, "nobody was asked whether they may run again");
        site.wire.reload_timeout(&mut site.redis.connect(0));
        work();
    }
}

fn assert_all_passed_once(site: &Site) {
    let end = format!("attempt {} passes", site.wire.attempt_after_the_first());
    let mut passed: Vec<String> = site.trace().into_iter().filter(|line| line.ends_with("passes")).collect();
    let mut expected: Vec<String> = (0..50).map(|n| format!("WaitsForGate g-{n} {end}")).collect();
    passed.sort();
    expected.sort();
    assert_eq!(passed, expected);
    assert_eq!(site.failures().len(), 0);
}

fn a_killed_worker_loses_none_of_fifty_jobs(wire: Wire) {
    let site = Site::new(wire);
    killed_with_fifty_running(&site, 3);
    work_on(&site, 3);
    assert_all_passed_once(&site);
}

fn after_a_kill_jobs_with_one_try_end_as_in_php(wire: Wire) {
    let site = Site::new(wire);
    killed_with_fifty_running(&site, 1);
    work_on(&site, 1);
    if wire.timeout().is_some() {
        // A run that never ended is none: neither a retry nor a failure was written.
        return assert_all_passed_once(&site);
    }
    let failures = site.failures();
    assert_eq!(failures.len(), 50);
    let text = wire.too_often("WaitsForGate");
    assert!(failures.iter().all(|failure| failure.starts_with(&text)), "{}", failures[0]);
    assert_eq!(site.traced("passes"), 0);
}

fn sigterm_with_grace_hands_unfinished_jobs_back_in_their_first_order(wire: Wire) {
    let site = Site::new(wire);
    site.push((0..12).map(|n| made("WaitsForGate", format!("g-{n}"))));
    let before = site.ready();
    let worker = Running::start(site.worker(&["--concurrency=10", "--grace=1"]));
    wait_until("ten jobs run", || site.traced("attempt 1 waits") == 10);
    worker.signal("TERM");
    let end = worker.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert!(before == site.ready(), "popped bytes, first order");
    if let Some(notify) = wire.notify() {
        assert_eq!(length(&site.redis, "LLEN", &notify), 12);
    }
    assert_eq!(site.scores("reserved").len(), 0);
    assert!(!end.stderr.contains("dropped unsettled"), "{}", end.stderr);
}
