//! A Redis that is out of memory and refuses whatever would grow: the worker still drains it. Never lacks memory itself.

use std::collections::BTreeMap;

use serde_json::json;

use super::{length, stop, told, traced};
use crate::support::differential::handover;
use crate::support::laravel::App;
use crate::support::process::{Running, wait_until};
use crate::support::redis::Redis;
use crate::support::snapshot::{now, shift};

const KINDS: [&str; 4] = ["complete", "throw", "release", "fail"];

/// Other keys fill it up to its limit: `SET` is refused from now on.
fn fill(redis: &Redis) {
    let () = redis.query(&["SET", "filler", &"x".repeat(4 << 20)]);
    let () = redis.query(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    let () = redis.query(&["CONFIG", "SET", "maxmemory", "1mb"]);
    let refused: redis::RedisResult<()> = redis::cmd("SET").arg("more").arg(1).query(&mut redis.connect(0));
    assert_eq!(refused.unwrap_err().code(), Some("OOM"));
}

fn relieve(redis: &Redis) {
    let () = redis.query(&["CONFIG", "SET", "maxmemory", "0"]);
    let () = redis.query(&["DEL", "filler"]);
}

/// Four jobs that wait for a gate, and may run five times with ten minutes between.
fn push_gated(app: &App) {
    let gated = KINDS
        .map(|kind| json!({"job": "GateThen", "args": [kind, kind], "with": {"tries": 5, "backoff": 600}}));
    app.push(&gated.into_iter().collect());
}

fn start(app: &App, flags: &[&str]) -> Running {
    let mut command = handover(app, &[&["--concurrency=8", "--timeout=0"], flags].concat());
    command.env("RUST_LOG", "debug");
    Running::start(command)
}

fn set(redis: &Redis, app: &App, part: &str) -> BTreeMap<String, f64> {
    redis.query(&["ZRANGE", &app.key(&format!("queues:default:{part}")), "0", "-1", "WITHSCORES"])
}

fn succeeded(app: &App) -> usize {
    app.trace().iter().filter(|line| line.starts_with("Succeed ") && line.ends_with(" attempt 1")).count()
}

#[test]
fn a_worker_drains_a_full_redis_and_keeps_its_leases() {
    let redis = Redis::start();
    let mut app = App::new(&redis);
    app.set_env("REDIS_QUEUE_RETRY_AFTER", "3");
    push_gated(&app);
    let worker = start(&app, &[]);
    wait_until("four jobs run", || traced(&app, "attempt 1 waits") == 4);
    worker.signal("USR2");
    wait_until("it is paused", || told(&worker, "paused: no job is taken") == 1);
    app.push(&json!([{"job": "Succeed", "args": ["ready-%i"], "count": 250},
                     {"job": "Succeed", "args": ["due-%i"], "count": 250, "delay": 1}]));
    fill(&redis);
    worker.signal("CONT");

    // More than three leases go by.
    let renewed = told(&worker, "reservations renewed");
    wait_until("ten renewals", || told(&worker, "reservations renewed") >= renewed + 10);
    assert!(set(&redis, &app, "reserved").values().all(|score| *score > now()), "{}", worker.stderr());
    wait_until("what waited has run", || succeeded(&app) == 500);
    KINDS.iter().for_each(|kind| app.open_gate(&format!("{kind}-1")));
    wait_until("all is settled", || set(&redis, &app, "reserved").is_empty());
    assert_eq!(set(&redis, &app, "delayed").len(), 2);

    relieve(&redis);
    app.push(&json!([{"job": "Succeed", "args": ["after-%i"], "count": 20}]));
    wait_until("the new ones ran", || succeeded(&app) == 520);
    let log = stop(worker);
    assert!(!log.contains("the reservation was lost") && !log.contains("trying again"), "{log}");
    let trace = app.trace();
    assert_eq!(trace.len(), 4 + 4 + 1 + 520, "each ran once, one failed: {trace:?}");
    let rows = app.failed_rows();
    assert_eq!(rows.len(), 1);
    assert!(rows[0]["exception"].as_str().unwrap().starts_with("LogicException: fail failed"));
    assert_eq!(length(&redis, "LLEN", &app.key("queues:default")), 0);
}

#[test]
fn a_full_redis_takes_back_what_a_worker_hands_back() {
    let redis = Redis::start();
    let app = App::new(&redis);
    push_gated(&app);
    let list = app.key("queues:default");
    let before: Vec<Vec<u8>> = redis.query(&["LRANGE", &list, "0", "-1"]);
    let worker = start(&app, &["--grace=0"]);
    wait_until("four jobs run", || traced(&app, "attempt 1 waits") == 4);
    fill(&redis);
    let log = stop(worker);
    let after: Vec<Vec<u8>> = redis.query(&["LRANGE", &list, "0", "-1"]);
    assert!(before == after, "popped bytes, first order: {log}");
    assert_eq!(set(&redis, &app, "reserved").len(), 0);
    // A wake-up that the worker has in hand itself is refused; the poll is there for that.
    assert!(length(&redis, "LLEN", &format!("{list}:notify")) >= 3, "{log}");
}

#[test]
fn a_full_redis_gives_up_what_another_worker_left() {
    let redis = Redis::start();
    let app = App::new(&redis);
    push_gated(&app);
    let killed = start(&app, &[]);
    wait_until("four jobs run", || traced(&app, "attempt 1 waits") == 4);
    killed.signal("KILL");
    assert_eq!(killed.finish().code, 128 + 9);
    shift(&redis, 100);
    fill(&redis);
    let worker = start(&app, &[]);
    wait_until("they run again", || traced(&app, "attempt 2 waits") == 4);
    KINDS.iter().for_each(|kind| app.open_gate(&format!("{kind}-2")));
    wait_until("all is settled", || set(&redis, &app, "reserved").is_empty());
    let log = stop(worker);
    assert_eq!(traced(&app, "attempt 2 passes"), 4, "{log}");
    assert_eq!(set(&redis, &app, "delayed").len(), 2);
    assert_eq!(app.failed_rows().len(), 1);
}
