//! A worker whose master is named by sentinels: the master dies under load or steps down by order, and the worker goes on
//! at the new one by itself, with an account of every job.

use std::collections::BTreeSet;
use std::time::Instant;

use redis::Connection;

use super::flow::{Watched, assert_each_ran_once, names, push, start, stop, wait_for_ends, wait_for_log};
use crate::support::process::wait_until;
use crate::support::sentinel::Sentinels;
use crate::support::snapshot::shift;
use crate::support::tally::Tally;

/// Pushes jobs to the master; every one of them is on its replica when this returns.
fn push_to_both(all: &Sentinels, tally: &Tally, jobs: &[String], seconds: f64) {
    let mut master = all.connect(all.master().expect("a master")).unwrap();
    push(&mut master, tally, "default", jobs, seconds).unwrap();
    let reached: usize = redis::cmd("WAIT").arg(1).arg(60_000).query(&mut master).unwrap();
    assert_eq!(reached, 1);
}

/// Waits until a node is what the replica of a dead master stays until it is promoted, and reads which jobs it has.
/// Nothing if it has been promoted meanwhile.
fn frozen(connection: &mut Connection) -> Option<BTreeSet<String>> {
    wait_until("the replica to miss its master", || {
        let info: String = redis::cmd("INFO").arg("replication").query(connection).unwrap();
        info.contains("master_link_status:down") || info.contains("role:master")
    });
    let (ready, reserved, info): (Vec<String>, Vec<String>, String) = redis::pipe()
        .atomic()
        .lrange("queues:default", 0, -1)
        .zrange("queues:default:reserved", 0, -1)
        .cmd("INFO")
        .arg("replication")
        .query(connection)
        .unwrap();
    let name = |payload: String| {
        let payload: serde_json::Value = serde_json::from_str(&payload).unwrap();
        payload["id"].as_str().unwrap().to_owned()
    };
    info.contains("role:slave").then(|| ready.into_iter().chain(reserved).map(name).collect())
}

/// Every job that it has taken is settled, or was found to be no longer its own.
fn is_idle(worker: &Watched) -> bool {
    let lost = worker.stderr().matches("the reservation was lost").count();
    let lines = worker.stdout();
    let ended = |line: &&str| line.ends_with("DONE") || line.ends_with("FAIL");
    lines.lines().filter(|line| line.ends_with("RUNNING")).count()
        == lines.lines().filter(ended).count() + lost
}

fn worker_waits_at(all: &Sentinels, index: usize) -> bool {
    let clients = |mut connection| redis::cmd("CLIENT").arg("LIST").query::<String>(&mut connection).ok();
    all.connect(index).and_then(clients).is_some_and(|clients| clients.contains("cmd=blpop"))
}

#[test]
fn a_master_dies_under_load_and_the_worker_goes_on_at_the_new_one() {
    let (mut all, tally) = (Sentinels::start(), Tally::start());
    let worker = start(&all.url(0), "default", &[]);
    // What is done before, to the last byte on the replica, is done for good.
    let before = names("before", 100);
    push_to_both(&all, &tally, &before, 0.0);
    wait_for_ends(&tally, &before);
    wait_until("they are off the books", || {
        let keys: usize = redis::cmd("DBSIZE").query(&mut all.connect(0).unwrap()).unwrap();
        keys == 0 && all.in_step(1)
    });

    let during = names("during", 300);
    push_to_both(&all, &tally, &during, 0.02);
    wait_until("some have run", || tally.started() > before.len() + 50);
    let mut replica = all.connect(1).unwrap();
    all.kill(0);
    let at_the_new_one = frozen(&mut replica);
    all.wait_for_master(1);
    let promoted = Instant::now();
    let running = tally.started();
    wait_until("the worker takes jobs again", || tally.started() > running || tally.started() == 400);
    println!("at work {:?} after the promotion", promoted.elapsed());

    let after = names("after", 100);
    push(&mut all.connect(1).unwrap(), &tally, "default", &after, 0.0).unwrap();
    let jobs = [&before[..], &during, &after].concat();
    wait_for_ends(&tally, &jobs);
    // What the new master took for reserved when the old one died comes back when its lease is over.
    wait_until("nothing runs", || is_idle(&worker));
    shift(all.node(1), 601);
    wait_until("nothing is left", || {
        redis::cmd("DBSIZE").query::<usize>(&mut all.connect(1).unwrap()).unwrap() == 0
    });
    let log = stop(worker);
    assert!(log.contains("Redis answers again"), "{log}");

    let account = tally.account(jobs.iter().cloned());
    println!("{}", account.summary());
    assert!(account.lost.is_empty() && account.unexpected.is_empty(), "{account:?}");
    // The new master had not heard that they had run, or been taken.
    if let Some(known) = at_the_new_one {
        let unexplained: Vec<_> = account.repeated.keys().filter(|job| !known.contains(*job)).collect();
        assert!(unexplained.is_empty(), "{unexplained:?} of {account:?}");
    }
    let again = account.repeated.keys().find(|job| !job.starts_with("during"));
    assert_eq!(again, None);
}

#[test]
fn a_failover_by_order_moves_the_worker_and_no_job_runs_twice() {
    let (all, tally) = (Sentinels::start(), Tally::start());
    let worker = start(&all.url(0), "default", &[]);
    let before = names("before", 50);
    push_to_both(&all, &tally, &before, 0.0);
    wait_for_ends(&tally, &before);
    wait_until("the worker waits", || worker_waits_at(&all, 0) && all.in_step(1));
    all.failover();
    all.wait_for_master(1);
    // Only once the old master has stepped down does the worker notice.
    let after = names("after", 50);
    push(&mut all.connect(1).unwrap(), &tally, "default", &after, 0.0).unwrap();
    wait_until("the old master to step down", || all.role(0).as_deref() == Some("slave"));
    let stepped_down = Instant::now();
    let jobs = [before, after].concat();
    wait_for_ends(&tally, &jobs);
    println!("at work {:?} after the old master stepped down", stepped_down.elapsed());
    stop(worker);
    assert_each_ran_once(&tally, &jobs);
}

/// The sentinels' own order ends the connections to the old master; an operator's does not.
#[test]
fn an_old_master_that_answers_readonly_is_left_for_the_new_one() {
    let (all, tally) = (Sentinels::start(), Tally::start());
    let mut worker = start(&all.url(0), "default", &[]);
    let jobs = names("job", 60);
    push_to_both(&all, &tally, &jobs, 0.3);
    wait_until("some run", || tally.started() >= 16);
    worker.signal("STOP");
    wait_until("all it has done is on the replica", || all.in_step(1));
    all.failover();
    all.wait_for_master(1);
    let of = all.node(1).port().to_string();
    let () = redis::cmd("REPLICAOF").arg("127.0.0.1").arg(of).query(&mut all.connect(0).unwrap()).unwrap();
    wait_until("the old master follows", || all.in_step(0));
    worker.signal("CONT");
    wait_for_ends(&tally, &jobs);
    wait_for_log(&mut worker, "Redis answers again", 1);
    stop(worker);
    assert_each_ran_once(&tally, &jobs);
}

#[test]
fn passwords_of_the_nodes_and_of_the_sentinels_are_given_and_not_told() {
    let (all, tally) = (Sentinels::with_password("hunter2"), Tally::start());
    let worker = start(&all.url(2), "default", &["-v"]);
    let jobs = names("job", 10);
    let mut master = all.connect(0).unwrap();
    let () = redis::cmd("SELECT").arg(2).query(&mut master).unwrap();
    push(&mut master, &tally, "default", &jobs, 0.0).unwrap();
    wait_for_ends(&tally, &jobs);
    let log = stop(worker);
    assert!(!log.contains("hunter2"), "{log}");
    assert_each_ran_once(&tally, &jobs);
}

#[test]
fn a_sentinel_that_is_away_is_passed_over() {
    let (mut all, tally) = (Sentinels::start(), Tally::start());
    let url = all.url(0);
    // The first in the address.
    all.kill_sentinel(0);
    let worker = start(&url, "default", &[]);
    let jobs = names("job", 10);
    push_to_both(&all, &tally, &jobs, 0.0);
    wait_for_ends(&tally, &jobs);
    stop(worker);
    assert_each_ran_once(&tally, &jobs);
}
