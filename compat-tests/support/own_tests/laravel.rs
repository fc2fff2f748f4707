//! The fixture application behaves as Laravel, and the harness sees all of it.

use serde_json::json;

use crate::support::laravel::App;
use crate::support::redis::Redis;
use crate::support::snapshot::{Snapshot, Stored};

#[test]
fn it_is_laravel() {
    let redis = Redis::start();
    let done = App::new(&redis).artisan(&["--version"]);
    assert!(done.stdout.starts_with("Laravel Framework "), "{done:?}");
}

#[test]
fn every_kind_of_push_is_worked() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([
        {"job": "Succeed", "args": ["copy-%i", 1, [1.5, {"a": []}]], "count": 2},
        {"job": "SendWelcomeEmail", "args": {"user": {"$model": "User", "id": 2}, "subject": "hi"}},
        {"job": "App\\Legacy@fire", "data": {"a": 1}},
        {"closure": "a closure"},
        {"job": "Encrypted", "args": ["e", "secret"]},
        {"job": "FailsItself", "args": ["f", "no more"]},
        {"job": "DeletesItself", "args": ["d", true]},
        {"job": "Succeed", "args": ["first"], "chain": [{"job": "Succeed", "args": ["second"]}]},
        {"batch": [{"job": "Succeed", "args": ["in a batch"]}], "name": "b"},
        {"job": "Succeed", "args": ["third try"], "payload": {"attempts": 2, "maxTries": 3}},
    ]));
    let done = app.queue_work(&["--stop-when-empty"]);
    assert_eq!(done.code, 0, "{done:?}");
    let expected = [
        r#"Succeed copy-0 attempt 1 [1,[1.5,{"a":[]}]]"#,
        r#"Succeed copy-1 attempt 1 [1,[1.5,{"a":[]}]]"#,
        "SendWelcomeEmail user-2 attempt 1 to Grace: hi",
        r#"Legacy fire attempt 1 {"a":1}"#,
        "a closure",
        "Encrypted e attempt 1 secret",
        "FailsItself f attempt 1",
        "FailsItself f failed LogicException: no more",
        "DeletesItself d attempt 1",
        "Succeed first attempt 1",
        "Succeed in a batch attempt 1",
        "Succeed third try attempt 3",
        "Succeed second attempt 1",
    ];
    assert_eq!(app.trace(), expected);
    let after = Snapshot::take(&redis, &app);
    assert!(after.keys.is_empty(), "{after:?}");
    assert_eq!(after.tables["failed_jobs"].len(), 1);
    assert_eq!(after.tables["job_batches"][0]["pending_jobs"], 0);
    let row = &app.failed_rows()[0];
    assert!(
        row["exception"].as_str().is_some_and(|text| text.starts_with("LogicException: no more in ")),
        "{row}"
    );
}

#[test]
fn raw_bytes_are_pushed_as_they_are() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([
        {"raw": "not json"},
        {"raw_base64": "AP8=", "queue": "other"},
        {"raw": "later", "delay": 60},
        {"job": "Succeed", "drop": ["attempts", "data"], "payload": {"uuid": "u"}, "queue": "shape"},
    ]));
    let state = Snapshot::take(&redis, &app);
    assert_eq!(state.members(&app.key("queues:default")), [b"not json".to_vec()]);
    assert_eq!(state.members(&app.key("queues:other")), [vec![0, 255]]);
    assert!(
        matches!(state.get(&app.key("queues:default:delayed")), Some(Stored::Zset(members)) if members.len() == 1)
    );
    let shaped = &state.members(&app.key("queues:shape"))[0];
    let shaped: serde_json::Value = serde_json::from_slice(shaped).expect("JSON");
    assert_eq!(
        (shaped["uuid"].as_str(), shaped.get("attempts"), shaped.get("data")),
        (Some("u"), None, None)
    );
}

#[test]
fn settings_reach_the_worker() {
    let redis = Redis::start();
    let mut app = App::new(&redis);
    for (name, value) in [("REDIS_PREFIX", "p:"), ("REDIS_DB", "3"), ("QUEUE_FAILED_DRIVER", "null")] {
        app.set_env(name, value);
    }
    app.set_env("REDIS_QUEUE", "inbox");
    app.push(&json!([{"job": "ThrowsAlways", "args": ["a", "bang"]}]));
    let before = Snapshot::take(&redis, &app);
    assert!(before.keys.contains_key(&(3, app.key("queues:inbox"))), "{before:?}");
    assert_eq!(app.queue_work(&["--once"]).code, 0);
    assert_eq!(app.trace(), ["ThrowsAlways a attempt 1", "ThrowsAlways a failed RuntimeException: bang"]);
    assert!(app.failed_rows().is_empty());
}

#[test]
fn a_worker_in_the_background_can_be_terminated_and_killed() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "WaitsForGate", "args": ["%i"], "count": 2}]));
    let polite = app.start_worker(&[]);
    app.wait_for_trace("WaitsForGate 0 attempt 1 waits");
    polite.signal("TERM");
    app.open_gate("0");
    assert_eq!(polite.finish().code, 0);
    assert_eq!(app.trace().last().map(String::as_str), Some("WaitsForGate 0 attempt 1 passes"));

    let crashed = app.start_worker(&[]);
    app.wait_for_trace("WaitsForGate 1 attempt 1 waits");
    crashed.signal("KILL");
    assert_eq!(crashed.finish().code, 137);
    assert_eq!(Snapshot::take(&redis, &app).members(&app.key("queues:default:reserved")).len(), 1);
}

#[test]
fn maintenance_mode_is_a_file_away() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.set_file("storage/framework/down", "{}");
    app.push(&json!([{"job": "Succeed"}]));
    app.queue_work(&["--once"]);
    assert_eq!(app.trace(), [""; 0]);
    std::fs::remove_file(app.path("storage/framework/down")).expect("the file");
    app.queue_work(&["--once"]);
    assert_eq!(app.trace(), ["Succeed attempt 1"]);
}
