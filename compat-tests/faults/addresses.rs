//! Where a Redis may be: a unix socket or a TCP port, any database of it.

use super::flow::{assert_each_ran_once, names, push, start, stop, wait_for_ends};
use crate::support::redis::Redis;
use crate::support::tally::Tally;

fn works(redis: &Redis, url: &str, db: u32) {
    let tally = Tally::start();
    let (jobs, decoys) = (names("job", 5), names("decoy", 5));
    push(&mut redis.connect(db), &tally, "default", &jobs, 0.0).unwrap();
    push(&mut redis.connect(0), &tally, "default", &decoys, 0.0).unwrap();
    let worker = start(url, "default", &[]);
    wait_for_ends(&tally, &jobs);
    stop(worker);
    assert_each_ran_once(&tally, &jobs);
    assert_eq!(redis.query::<usize>(&["LLEN", "queues:default"]), 5, "another database was left alone");
}

#[test]
fn a_worker_works_database_3_on_a_unix_socket() {
    let redis = Redis::start();
    works(&redis, &redis.url(3), 3);
}

#[test]
fn a_worker_works_database_2_over_tcp() {
    let redis = Redis::start_tcp(&[]);
    works(&redis, &format!("redis://127.0.0.1:{}/2", redis.port()), 2);
}

#[test]
fn a_new_dial_comes_back_to_the_same_database() {
    let redis = Redis::start_tcp(&[]);
    let tally = Tally::start();
    let worker = start(&format!("redis://127.0.0.1:{}/2", redis.port()), "default", &[]);
    let before = names("before", 3);
    push(&mut redis.connect(2), &tally, "default", &before, 0.0).unwrap();
    wait_for_ends(&tally, &before);
    let _: usize = redis.query(&["CLIENT", "KILL", "TYPE", "normal"]);
    let after = names("after", 3);
    push(&mut redis.connect(2), &tally, "default", &after, 0.0).unwrap();
    wait_for_ends(&tally, &after);
    stop(worker);
    assert_each_ran_once(&tally, &[before, after].concat());
}
