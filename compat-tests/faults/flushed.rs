//! A Redis that is emptied under a worker's feet, of its keys or of its scripts: nothing from before comes back, nothing
//! that is pushed afterwards is lost. Never one that keeps what it had: that is in `restarted.rs`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::{length, stop, told, traced, worker};
use crate::support::differential::handover;
use crate::support::laravel::App;
use crate::support::process::{Running, wait_until};
use crate::support::redis::Redis;
use crate::support::tally::Tally;

const KINDS: [&str; 4] = ["complete", "throw", "release", "fail"];

/// A worker that runs four jobs, and five wait. It asks for its leases every second.
fn busy(redis: &Redis, flags: &[&str]) -> (App, Running) {
    let mut app = App::new(redis);
    app.set_env("REDIS_QUEUE_RETRY_AFTER", "3");
    let gated = KINDS.map(|kind| json!({"job": "GateThen", "args": [kind, kind], "with": {"tries": 5}}));
    app.push(&gated.into_iter().collect());
    app.push(&json!([{"job": "Succeed", "args": ["before"], "count": 3},
                     {"job": "Succeed", "args": ["before"], "count": 2, "delay": 1}]));
    let worker = Running::start(handover(&app, &[&["--concurrency=4"], flags].concat()));
    wait_until("four jobs run", || traced(&app, "attempt 1 waits") == 4);
    (app, worker)
}

fn keys(redis: &Redis) -> Vec<String> {
    redis.query(&["KEYS", "*"])
}

/// The four that ran left nothing, the five that waited never ran, and what is pushed now does.
fn only_what_is_pushed_now_has_effects(redis: &Redis, app: &App, worker: Running) {
    app.push(&json!([{"job": "Succeed", "args": ["after-%i"], "count": 20}]));
    KINDS.iter().for_each(|kind| app.open_gate(&format!("{kind}-1")));
    wait_until("four are known to be lost", || told(&worker, "the reservation was lost") == 4);
    wait_until("the new ones ran", || {
        app.trace().iter().filter(|line| line.starts_with("Succeed after-")).count() == 20
    });
    stop(worker);
    assert_eq!(app.failed_rows().len(), 0);
    assert_eq!(traced(app, "attempt 1 passes"), 4);
    let others = app.trace().into_iter().filter(|line| line.contains("before") || line.contains("failed"));
    assert_eq!(others.count(), 0, "{:?}", app.trace());
    assert!(keys(redis).is_empty(), "{:?}", keys(redis));
}

#[test]
fn what_ran_when_redis_was_emptied_ends_without_effect() {
    let redis = Redis::start();
    let (app, worker) = busy(&redis, &[]);
    redis.flush();
    only_what_is_pushed_now_has_effects(&redis, &app, worker);
}

#[test]
fn what_ran_when_redis_came_back_empty_ends_without_effect() {
    let mut redis = Redis::start();
    let (app, worker) = busy(&redis, &[]);
    redis.kill();
    wait_until("it sees that Redis is gone", || told(&worker, "trying again") > 0);
    // They end while nobody can be told.
    KINDS.iter().for_each(|kind| app.open_gate(&format!("{kind}-1")));
    wait_until("the four have ended", || traced(&app, "attempt 1 passes") == 4);
    redis.restart();
    only_what_is_pushed_now_has_effects(&redis, &app, worker);
}

#[test]
fn what_ran_when_redis_was_emptied_is_not_handed_back() {
    let redis = Redis::start();
    let (app, worker) = busy(&redis, &["--grace=0"]);
    redis.flush();
    let log = stop(worker);
    assert!(keys(&redis).is_empty(), "{:?}: {log}", keys(&redis));
    assert_eq!(traced(&app, "attempt 1 passes"), 0);
    assert_eq!(app.failed_rows().len(), 0);
}

#[test]
fn scripts_that_are_forgotten_again_and_again_lose_and_repeat_nothing() {
    let (redis, tally) = (Redis::start(), Tally::start());
    let names = || (0..1000).map(|n| format!("job-{n}"));
    let payloads: Vec<String> = names().map(|name| tally.payload(&name, 0.01)).collect();
    let mut connection = redis.connect(0);
    let () = redis::cmd("RPUSH").arg("queues:default").arg(payloads).query(&mut connection).unwrap();
    let workers = [0, 1].map(|_| Running::start(worker(&redis.url(0), &["--tries=1"])));
    let mut flushes = 0_u64;
    wait_until("all is done", || {
        for _ in 0..5 {
            let () = redis.query(&["SCRIPT", "FLUSH", "SYNC"]);
            flushes += 1;
            // Moments without a pattern: a script may be forgotten between its loading and its call.
            std::thread::sleep(Duration::from_micros(flushes * 7919 % 2000));
        }
        length(&redis, "LLEN", "queues:default") == 0
            && length(&redis, "ZCARD", "queues:default:reserved") == 0
    });
    let logs = workers.map(stop);
    let account = tally.account(names());
    let told = format!("{flushes} flushes, {}\n{}", account.summary(), logs.join("\n--\n"));
    assert_eq!(account.done, 1000, "{told}");
    assert_eq!(account.repeated_without_cause(&BTreeSet::new()).len(), 0, "{told}");
    assert!(flushes > 10, "{told}");
}
