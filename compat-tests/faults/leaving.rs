//! A worker is told to stop while Redis does not answer: what becomes of what it was about to settle, and how soon it is
//! gone.

use serde_json::json;

use super::flow::{names, push, start as start_watched, wait_for_log};
use crate::support::differential::handover;
use crate::support::laravel::App;
use crate::support::process::{Running, wait_until};
use crate::support::proxy::{Fault, Proxy, When};
use crate::support::redis::Redis;
use crate::support::tally::Tally;

#[test]
fn a_failed_row_stays_whose_jobs_removal_was_sent_and_never_answered() {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    let app = App::new(&redis);
    app.push(&json!([{"job": "ThrowsAlways", "args": ["a", "boom"]}]));
    // The removal takes effect, its answer is lost, and nothing gets through any more.
    proxy.arm(When::word("fail"), Fault::CutAfter);
    let worker = Running::start(handover(&app, &[&format!("--redis={}", proxy.url(0)), "--grace=1"]));
    wait_until("the removal is cut off", || {
        proxy.refuse(proxy.fired() == 1);
        proxy.fired() == 1
    });
    wait_until("the worker knows", || worker.stderr().contains("trying again"));
    proxy.cut_all();
    worker.signal("TERM");
    let end = worker.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let keys: Vec<String> = redis.query(&["KEYS", "*queues*"]);
    assert!(keys.is_empty(), "the removal took effect: {keys:?}");
    assert_eq!(app.failed_rows().len(), 1, "no job, and no row: {}", end.stderr);
}

#[test]
fn a_worker_whose_redis_hangs_leaves_on_the_second_signal() {
    let (redis, tally) = (Redis::start_tcp(&[]), Tally::start());
    let mut worker = start_watched(&redis.url(0), "default", &[]);
    let jobs = names("job", 1);
    push(&mut redis.connect(0), &tally, "default", &jobs, 0.0).unwrap();
    wait_until("it works", || tally.started() == 1);
    redis.signal("STOP");
    wait_for_log(&mut worker, "trying again", 1);
    worker.signal("TERM");
    worker.signal("TERM");
    wait_until("it is gone", || !worker.is_running());
    redis.signal("CONT");
}
