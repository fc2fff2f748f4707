//! A server that turns into a replica under its worker: it refuses every write until it is a master again, and no job is
//! lost or run twice over it.

use super::flow::{
    assert_each_ran_once, names, push, start, stop, wait_for_ends, wait_for_log, wait_until_down,
};
use crate::support::process::wait_until;
use crate::support::redis::Redis;
use crate::support::tally::Tally;

fn url(redis: &Redis) -> String {
    format!("redis://127.0.0.1:{}/0", redis.port())
}

#[test]
fn a_worker_waits_while_its_server_is_a_replica() {
    let (redis, tally) = (Redis::start_tcp(&[]), Tally::start());
    // More jobs than slots: some wait, some run and end while nothing can be written.
    let jobs = names("job", 40);
    push(&mut redis.connect(0), &tally, "default", &jobs, 0.3).unwrap();
    let mut worker = start(&url(&redis), "default", &[]);
    wait_until("the first jobs run", || tally.started() >= 16);
    // Of a master that nobody is: what the server has stays as it is.
    let _: () = redis.query(&["REPLICAOF", "127.0.0.1", "1"]);
    wait_until_down(&mut worker, "read only replica");
    let _: () = redis.query(&["REPLICAOF", "NO", "ONE"]);
    wait_for_log(&mut worker, "Redis answers again", 1);
    wait_for_ends(&tally, &jobs);
    stop(worker);
    assert_each_ran_once(&tally, &jobs);
    assert_eq!(redis.query::<usize>(&["DBSIZE"]), 0);
}

#[test]
fn an_idle_worker_is_woken_again_after_its_server_was_a_replica() {
    let (redis, tally) = (Redis::start_tcp(&[]), Tally::start());
    let mut worker = start(&url(&redis), "default", &["--sleep=600"]);
    let waits = || redis.query::<String>(&["CLIENT", "LIST"]).contains("cmd=blpop");
    wait_until("it waits", waits);
    let _: () = redis.query(&["REPLICAOF", "127.0.0.1", "1"]);
    wait_until_down(&mut worker, "");
    let _: () = redis.query(&["REPLICAOF", "NO", "ONE"]);
    wait_until("it waits again", waits);
    let jobs = names("job", 1);
    push(&mut redis.connect(0), &tally, "default", &jobs, 0.0).unwrap();
    wait_for_ends(&tally, &jobs);
    let log = stop(worker);
    assert_each_ran_once(&tally, &jobs);
    assert!(!log.contains("the poll timer fired"), "{log}");
}

#[test]
fn an_idle_worker_says_once_that_its_server_is_a_replica() {
    let redis = Redis::start_tcp(&[]);
    let mut worker = start(&url(&redis), "default", &[]);
    wait_until("it waits", || redis.query::<String>(&["CLIENT", "LIST"]).contains("cmd=blpop"));
    let _: () = redis.query(&["REPLICAOF", "127.0.0.1", "1"]);
    wait_until_down(&mut worker, "");
    let before = asked(&redis);
    wait_until("it has asked again and again", || asked(&redis) >= before + 20);
    let log = stop(worker);
    assert!(log.matches("trying again").count() <= 3, "{log}");
}

#[test]
fn jobs_pushed_to_the_other_server_meanwhile_are_worked_after_the_way_back() {
    let (first, tally) = (Redis::start_tcp(&["--repl-diskless-sync-delay", "0"]), Tally::start());
    let of = format!("127.0.0.1 {}", first.port());
    let second = Redis::start_tcp(&["--replicaof", &of, "--repl-diskless-sync-delay", "0"]);
    wait_until("the replica is in step", || follows(&second));
    let before = names("before", 40);
    push(&mut first.connect(0), &tally, "default", &before, 0.3).unwrap();
    let mut worker = start(&url(&first), "default", &[]);
    wait_until("the first jobs run", || tally.started() >= 16);
    hand_over(&first, &second);
    wait_until_down(&mut worker, "read only replica");
    let meanwhile = names("meanwhile", 10);
    push(&mut second.connect(0), &tally, "default", &meanwhile, 0.0).unwrap();
    hand_over(&second, &first);
    let jobs = [before, meanwhile].concat();
    wait_for_ends(&tally, &jobs);
    stop(worker);
    assert_each_ran_once(&tally, &jobs);
    assert_eq!(first.query::<usize>(&["DBSIZE"]), 0);
}

/// How often it was asked for a job, whatever it answered.
fn asked(redis: &Redis) -> u64 {
    let stats: String = redis.query(&["INFO", "commandstats"]);
    let asking = |line: &&str| line.starts_with("cmdstat_blpop:") || line.starts_with("cmdstat_evalsha:");
    let counts = stats.lines().filter(asking).flat_map(|line| line.split([':', ',']));
    let counts = counts.filter_map(|field| {
        field.strip_prefix("calls=").or_else(|| field.strip_prefix("rejected_calls="))?.parse::<u64>().ok()
    });
    counts.sum()
}

fn follows(redis: &Redis) -> bool {
    let info: String = redis.query(&["INFO", "replication"]);
    info.contains("role:slave") && info.contains("master_link_status:up")
}

/// The master becomes the replica, and the replica the master, with all that was written.
fn hand_over(from: &Redis, to: &Redis) {
    let port = to.port().to_string();
    let order = || redis::cmd("FAILOVER").arg(&["TO", "127.0.0.1", &port]).query::<()>(&mut from.connect(0));
    wait_until("the replica to be ready for it", || order().is_ok());
    wait_until("the roles are swapped", || follows(from));
}
