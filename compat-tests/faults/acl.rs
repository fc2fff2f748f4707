//! Users and passwords: a worker gets along with the rights it needs, says what it lacks without telling a password, and
//! works by itself once it is let in.

use redis::Connection;

use super::flow::{Watched, assert_each_ran_once, names, push, start, stop, wait_for_ends, wait_until_down};
use crate::support::process::Running;
use crate::support::redis::Redis;
use crate::support::tally::Tally;

/// What a worker calls, itself and in its scripts.
const NEEDED: &[&str] = &[
    "+eval",
    "+evalsha",
    "+script|load",
    "+blpop",
    "+client|id",
    "+client|setname",
    "+client|unblock",
    "+llen",
    "+lpop",
    "+lpush",
    "+ltrim",
    "+ping",
    "+rpush",
    "+time",
    "+zadd",
    "+zcard",
    "+zrange",
    "+zrangebyscore",
    "+zrem",
    "+zremrangebyrank",
    "+zscore",
];

fn set_user(redis: &Redis, name: &str, rules: &[&str]) {
    let _: () = redis.query(&[&["ACL", "SETUSER", name], rules].concat());
}

fn url(redis: &Redis, user: &str, password: &str) -> String {
    format!("redis://{user}:{password}@127.0.0.1:{}/0", redis.port())
}

fn works(redis: &Redis, tally: &Tally, worker: Watched) -> String {
    let jobs = names("job", 5);
    push(&mut redis.connect(0), tally, "default", &jobs, 0.0).unwrap();
    wait_for_ends(tally, &jobs);
    let log = stop(worker);
    assert_each_ran_once(tally, &jobs);
    log
}

/// By a connection of the test's own, which stays logged in.
fn require_password(own: &mut Connection, password: &str) {
    let () = redis::cmd("CONFIG").arg(&["SET", "requirepass", password]).query(own).unwrap();
}

/// Drops every connection over TCP: the worker's.
fn cut_off(own: &mut Connection) {
    let clients: String = redis::cmd("CLIENT").arg("LIST").query(own).unwrap();
    for client in clients.lines().filter(|client| client.contains(" addr=127.0.0.1:")) {
        let id = client.split_whitespace().next().and_then(|field| field.strip_prefix("id=")).unwrap();
        // It may be gone by itself.
        let _: usize = redis::cmd("CLIENT").arg(&["KILL", "ID", id]).query(own).unwrap();
    }
}

#[test]
fn a_user_with_only_the_needed_rights_can_work() {
    let (redis, tally) = (Redis::start_tcp(&[]), Tally::start());
    set_user(&redis, "worker", &[&["on", ">secret", "~queues:*", "-@all"], NEEDED].concat());
    // Settles in every way: a job that ends, one that is released, one that fails for good, one that nobody can read.
    let legacy = |method: &str, tries: u32| {
        format!(
            r#"{{"displayName":"Legacy","job":"App\\Legacy@{method}","maxTries":{tries},"data":[],"id":"l","attempts":0}}"#
        )
    };
    for payload in [legacy("fire", 1), legacy("again", 2), legacy("throws", 1), "unreadable".to_owned()] {
        let _: usize = redis.query(&["RPUSH", "queues:default", &payload]);
    }
    let trace = tempfile::NamedTempFile::new().unwrap();
    let mut command = super::worker(&url(&redis, "worker", "secret"), &["--stop-when-empty"]);
    command.env("TRACE_FILE", trace.path());
    let end = Running::start(command).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    works(&redis, &tally, start(&url(&redis, "worker", "secret"), "default", &[]));
    assert_eq!(redis.query::<Vec<redis::Value>>(&["ACL", "LOG"]), [], "nothing was denied");
    let keys: Vec<String> = redis.query(&["KEYS", "*"]);
    assert_eq!(keys, ["queues:default:quarantine"]);
}

#[test]
fn a_wrong_password_is_told_without_it_and_once_it_is_right_the_worker_works() {
    let (redis, tally) = (Redis::start_tcp(&[]), Tally::start());
    set_user(&redis, "worker", &["on", ">right", "~*", "+@all"]);
    let mut worker = start(&url(&redis, "worker", "hunter2"), "default", &["-v"]);
    wait_until_down(&mut worker, "authentication failed");
    set_user(&redis, "worker", &["resetpass", ">hunter2"]);
    let log = works(&redis, &tally, worker);
    assert!(!log.contains("hunter2"), "{log}");
    assert!(log.contains("Redis answers again"), "{log}");
}

#[test]
fn a_missing_right_is_named_and_once_it_is_given_the_worker_works() {
    let (redis, tally) = (Redis::start_tcp(&[]), Tally::start());
    set_user(&redis, "worker", &["on", ">secret", "~*", "+@all", "-eval", "-evalsha"]);
    let mut worker = start(&url(&redis, "worker", "secret"), "default", &[]);
    wait_until_down(&mut worker, "no permissions");
    set_user(&redis, "worker", &["+eval", "+evalsha"]);
    works(&redis, &tally, worker);
}

#[test]
fn a_server_that_asks_for_a_password_all_at_once_is_given_it() {
    let (redis, tally) = (Redis::start_tcp(&[]), Tally::start());
    let worker = start(&url(&redis, "default", "hunter2"), "default", &[]);
    let before = names("before", 3);
    push(&mut redis.connect(0), &tally, "default", &before, 0.0).unwrap();
    wait_for_ends(&tally, &before);
    let mut own = redis.connect(0);
    require_password(&mut own, "hunter2");
    cut_off(&mut own);
    let after = names("after", 3);
    push(&mut own, &tally, "default", &after, 0.0).unwrap();
    wait_for_ends(&tally, &after);
    let log = stop(worker);
    assert!(!log.contains("hunter2"), "{log}");
    assert_each_ran_once(&tally, &[before, after].concat());
}

#[test]
fn without_the_password_it_says_so_and_works_once_none_is_asked_for() {
    let (redis, tally) = (Redis::start_tcp(&[]), Tally::start());
    let mut worker = start(&format!("redis://127.0.0.1:{}/0", redis.port()), "default", &[]);
    let (before, counted) = (names("before", 3), Tally::start());
    push(&mut redis.connect(0), &counted, "default", &before, 0.0).unwrap();
    wait_for_ends(&counted, &before);
    let mut own = redis.connect(0);
    require_password(&mut own, "x");
    cut_off(&mut own);
    wait_until_down(&mut worker, "Authentication required");
    require_password(&mut own, "");
    let log = works(&redis, &tally, worker);
    assert!(log.contains("Redis answers again"), "{log}");
}
