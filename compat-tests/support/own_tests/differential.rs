//! Two equal workers agree over whole stories; a worker that errs is found out.

use std::process::Command;

use serde_json::json;

use crate::support::differential::{Scenario, Worker, handover, php};
use crate::support::laravel::App;
use crate::support::redis::Redis;
use crate::support::snapshot::{Snapshot, keys};

fn story() -> Scenario {
    Scenario::new()
        .env("REDIS_QUEUE_RETRY_AFTER", "120")
        .push(json!([
            {"job": "Succeed", "args": ["a"]},
            {"job": "ThrowsThenSucceeds", "args": ["b", 1], "with": {"backoff": [10, 50]}},
            {"job": "ThrowsAlways", "args": ["c"], "with": {"tries": 1}},
            {"job": "ReleasesItself", "args": ["d", 20]},
            {"job": "Succeed", "args": ["e"], "delay": 30},
            {"job": "Succeed", "args": ["f"], "chain": [{"job": "Succeed", "args": ["g"]}]},
            {"job": "App\\Legacy@forgets"},
            {"job": "Succeed", "args": ["h"], "drop": ["attempts"]},
        ]))
        .work(&["--max-jobs=5", "--tries=3"])
        .push(json!([{"job": "Unique", "args": ["i"]}]))
        .pass(25)
        .work(&["--stop-when-empty", "--tries=3"])
        .pass(150)
        .work(&["--stop-when-empty", "--tries=3"])
        .artisan(&["queue:retry", "all"])
        .work(&["--once"])
        .compare_exceptions()
}

#[test]
fn php_is_phps_equal() {
    assert_eq!(story().differences(&php, &php), [""; 0]);
}

#[track_caller]
fn found_out(story: &Scenario, wrong: &dyn Worker, says: &str) {
    let found = story.differences(&php, wrong);
    assert!(found.iter().any(|line| line.contains(says)), "{says:?} expected in {found:#?}");
}

fn with(extra: &'static str) -> impl Fn(&App, &[&str]) -> Command + Sync {
    move |app, flags| php(app, &[flags, &[extra]].concat())
}

#[test]
fn wrong_workers_are_found_out() {
    let once = Scenario::new().push(json!([{"job": "ThrowsAlways", "args": ["a"]}])).work(&["--once"]);
    found_out(&once, &with("--tries=2"), "queues:default:delayed (db 0): unexpected");
    let retried =
        Scenario::new().push(json!([{"job": "ThrowsAlways", "args": ["a"]}])).work(&["--once", "--tries=3"]);
    found_out(&retried, &with("--backoff=9"), "score");
    let two = Scenario::new().push(json!([{"job": "Succeed", "args": ["%i"], "count": 2}])).work(&["--once"]);
    found_out(&two, &with("--queue=empty"), "user code");
    let eats = |app: &App, _: &[&str]| {
        let mut command = app.command("sh");
        command.args(["-c", "exit 7"]);
        command
    };
    found_out(&two, &eats, "exit code 0 expected, 7 found");
}

#[test]
fn a_worker_can_be_watched_and_signalled() {
    let story = Scenario::new()
        .push(json!([{"job": "WaitsForGate", "args": ["g"]}, {"job": "Succeed", "args": ["left"]}]))
        .work_while(&[], |app, worker| {
            app.wait_for_trace("WaitsForGate g attempt 1 waits");
            worker.signal("TERM");
            app.open_gate("g");
        });
    assert_eq!(story.differences(&php, &php), [""; 0]);
}

#[test]
fn what_user_code_did_can_be_left_aside() {
    let silent = |app: &App, flags: &[&str]| {
        let mut command = php(app, flags);
        command.env("TRACE_FILE", "/dev/null");
        command
    };
    let story = || Scenario::new().push(json!([{"job": "Succeed"}])).work(&["--once"]);
    found_out(&story(), &silent, "user code");
    assert_eq!(story().ignore_trace().differences(&php, &silent), [""; 0]);
}

#[test]
#[should_panic(expected = "rewritten: {")]
fn a_drop_in_may_not_rewrite_jobs_as_php_does() {
    Scenario::new().push(json!([{"job": "App\\Legacy@forgets"}])).work(&["--once"]).assert_drop_in(&php);
}

#[test]
fn both_sides_begin_with_the_pushed_bytes() {
    let (a, b) = (Redis::start(), Redis::start());
    let app = App::new(&a);
    app.push(&json!([{"job": "Succeed", "count": 3}, {"job": "Succeed", "delay": 60}]));
    let _: () = a.query(&["SET", "lock", "x", "PX", "60000"]);
    let _: () = a.query(&["HSET", "hash", "field", "1"]);
    let _: () = a.query(&["SADD", "set", "x"]);
    crate::support::snapshot::pour(&a, &b);
    let values = |redis| keys(redis).into_iter().map(|(name, key)| (name, key.value)).collect::<Vec<_>>();
    assert_eq!(values(&a), values(&b));
    let left: i64 = b.query(&["PTTL", "lock"]);
    assert!((1..=60_000).contains(&left));
    let twin = app.twin(&b);
    assert_eq!(Snapshot::take(&b, &twin).tables, Snapshot::take(&a, &app).tables);
}

#[test]
fn handover_is_started_in_the_application() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let command = handover(&app, &["--once"]);
    assert_eq!(command.get_current_dir(), Some(app.path("").as_path()));
    assert!(command.get_args().any(|arg| arg.to_string_lossy().ends_with("examples/compat-worker")));
}
