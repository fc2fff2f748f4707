//! What arrives at an endpoint, how often, and what does not go there.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use handover::events::Event;
use handover::handler as http;
use handover::{MemoryQueue, Worker};
use serde_json::json;

use super::endpoint::{Endpoint, answer};
use super::{SECRET, failures, forward, named};
use crate::support::laravel::App;
use crate::support::ports;
use crate::support::process::{Running, command, wait_until};
use crate::support::redis::Redis;
use crate::support::snapshot::shift;
use crate::support::worker_binary;

fn completes() -> Endpoint {
    Endpoint::start(|_, line| {
        let _ = line.write_all(&answer("200 OK", &[], ""));
    })
}

#[test]
fn a_job_arrives_as_its_plain_command_and_its_facts() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "SendWelcomeEmail", "args": [{"$model": "User", "id": 1}, "Grüße"],
                      "with": {"tries": 7}, "payload": {"telescope_uuid": "t-1"}}]));
    let endpoint = completes();
    let end = Running::start(forward(&app, &endpoint.url("/jobs?a=b"), &["--max-jobs=1"])).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let [asked] = &endpoint.asked()[..] else { panic!("one request") };
    assert_eq!(asked.line, "POST /jobs?a=b HTTP/1.1");
    assert_eq!(asked.headers["content-type"], "application/json");
    let json = asked.json();
    assert_eq!(json["type"], "App\\Jobs\\SendWelcomeEmail");
    let sent = json["timestamp"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert_eq!(sent.timestamp().to_string(), asked.headers["webhook-timestamp"]);
    let data = &json["data"];
    assert_eq!(data["uuid"].as_str().unwrap(), asked.headers["webhook-id"]);
    assert_eq!((&data["connection"], &data["queue"]), (&json!("redis"), &json!("default")));
    assert_eq!((&data["attempts"], &data["maxTries"]), (&json!(1), &json!(7)));
    assert_eq!(data["command"]["subject"], "Grüße");
    assert_eq!(
        (&data["command"]["user"]["$model"], &data["command"]["user"]["id"]),
        (&json!("App\\Models\\User"), &json!(1))
    );
    assert_eq!(data["meta"], json!({"telescope_uuid": "t-1"}));
}

#[test]
fn a_string_job_arrives_with_its_data() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "App\\Legacy@again", "data": {"n": [1, 2]}}]));
    let endpoint = completes();
    let mut command = app.command(env!("CARGO_BIN_EXE_handover"));
    command.args(["queue:work", "--once"]);
    command.env("HANDOVER_HTTP", format!("App\\Other=http://localhost:1 App\\Legacy={}", endpoint.url("/")));
    command.env("HANDOVER_HTTP_SECRET", SECRET);
    let end = Running::start(command).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let json = endpoint.asked()[0].json();
    assert_eq!(json["type"], "App\\Legacy");
    assert_eq!(json["data"]["job"], "App\\Legacy@again");
    assert_eq!(json["data"]["data"], json!({"n": [1, 2]}));
}

#[test]
fn of_several_routes_the_exact_one_goes_first() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "Succeed", "args": ["exact"]}, {"job": "DeletesItself", "args": ["pattern"]}]));
    let (all, exact) = (completes(), completes());
    let route = format!("--http=\\App\\Jobs\\Succeed={}", exact.url("/"));
    let end = Running::start(forward(&app, &all.url("/"), &["--max-jobs=2", &route, "-v"])).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_eq!((all.asked()[0].name(), exact.asked()[0].name()), ("pattern".into(), "exact".into()));
    assert!(end.stderr.contains(&format!("http [App\\Jobs\\* to {}, ", all.url("/"))), "{}", end.stderr);
}

#[test]
fn the_receiver_of_the_examples_takes_what_is_signed_and_nothing_else() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let address = format!("127.0.0.1:{}", ports::free());
    let mut receiver = command(worker_binary().with_file_name("receiver"));
    receiver.env("WEBHOOK_SECRET", SECRET).env("LISTEN", &address);
    let receiver = Running::start(receiver);
    wait_until("it listens", || receiver.stdout().contains("waiting for jobs"));
    let url = format!("http://{address}/jobs");
    app.push(&json!([named("later", json!({"tries": 2})), named("never", json!({"tries": 2}))]));
    let end = Running::start(forward(&app, &url, &["--max-jobs=3"])).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let printed = receiver.stdout();
    for line in ["\"App\\\\Jobs\\\\Succeed\" attempt 1: ", "\"App\\\\Jobs\\\\Succeed\" attempt 2: "] {
        assert!(printed.contains(line), "{printed}");
    }
    let manually = "Illuminate\\Queue\\ManuallyFailedException: this one never works";
    assert_eq!(failures(&app), [("never".to_owned(), manually.to_owned())].into());

    app.push(&json!([named("forged", json!({"tries": 1}))]));
    let mut forger = forward(&app, &url, &["--max-jobs=1"]);
    forger.env("HANDOVER_HTTP_SECRET", "whsec_YW5vdGhlcg==");
    assert_eq!(Running::start(forger).finish().code, 0);
    assert!(failures(&app)["forged"].contains(" answered 401 Unauthorized: "), "{:?}", failures(&app));
}

#[test]
fn a_kill_in_flight_repeats_the_job_under_the_same_id() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([named("killed", json!({"tries": 2}))]));
    let endpoint = Endpoint::start(|asked, line| {
        // The first attempt is never answered.
        if asked.json()["data"]["attempts"] != 1 {
            let _ = line.write_all(&answer("200 OK", &[], ""));
        }
    });
    let worker = Running::start(forward(&app, &endpoint.url("/"), &[]));
    wait_until("the request is in flight", || endpoint.asked().len() == 1);
    worker.signal("KILL");
    assert_eq!(worker.finish().code, 128 + 9);
    shift(&redis, 200);
    let end = Running::start(forward(&app, &endpoint.url("/"), &["--max-jobs=1"])).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let asked = endpoint.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0].headers["webhook-id"], asked[1].headers["webhook-id"]);
    assert_eq!(asked[1].json()["data"]["attempts"], 2);
    assert!(failures(&app).is_empty());
}

#[test]
fn a_stop_with_grace_hands_the_job_back_for_when_the_endpoint_must_be_done() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([named("waits", json!({"tries": 1}))]));
    let list = app.key("queues:default");
    let before: Vec<Vec<u8>> = redis.query(&["LRANGE", &list, "0", "-1"]);
    let endpoint = Endpoint::start(|_, _| {});
    let worker = Running::start(forward(&app, &endpoint.url("/"), &["--grace=0"]));
    wait_until("the request is in flight", || endpoint.asked().len() == 1);
    worker.signal("TERM");
    assert_eq!(worker.finish().code, 0);
    // The popped bytes: no attempt is spent. Not at the head: the endpoint may still be at work.
    assert_eq!(redis.query::<usize>(&["LLEN", &list]), 0);
    let delayed = format!("{list}:delayed");
    assert_eq!(redis.query::<Vec<Vec<u8>>>(&["ZRANGE", &delayed, "0", "-1"]), before);
    let left: f64 = redis.query(&["ZSCORE", &delayed, std::str::from_utf8(&before[0]).unwrap()]);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!(left > now, "{left} {now}");
}

#[test]
fn sixteen_slots_share_their_connections() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "Succeed", "args": ["n-%i"], "count": 200}]));
    let endpoint = completes();
    let end = Running::start(forward(&app, &endpoint.url("/"), &["--stop-when-empty"])).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let mut names: Vec<String> = endpoint.asked().iter().map(|asked| asked.name()).collect();
    names.sort();
    names.dedup();
    assert_eq!((names.len(), endpoint.asked().len()), (200, 200));
    assert!(endpoint.connections() <= 100, "{} connections", endpoint.connections());
}

#[test]
fn what_only_php_can_do_is_not_sent() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(
        &json!([{"job": "Succeed", "args": ["first"], "chain": [{"job": "Succeed", "args": ["next"]}]}]),
    );
    let list = app.key("queues:default");
    let before: Vec<Vec<u8>> = redis.query(&["LRANGE", &list, "0", "-1"]);
    let endpoint = completes();
    let worker = Running::start(forward(&app, &endpoint.url("/"), &[]));
    wait_until("it is handed back", || worker.stderr().contains("left to a PHP worker: it carries a chain"));
    worker.signal("TERM");
    assert_eq!(worker.finish().code, 0);
    assert_eq!(redis.query::<Vec<Vec<u8>>>(&["LRANGE", &list, "0", "-1"]), before);
    assert!(endpoint.asked().is_empty());
}

#[test]
fn a_command_that_cannot_be_read_fails_and_is_not_sent() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let raw = json!({"uuid": "u-1", "displayName": "App\\Jobs\\Succeed", "maxTries": 5, "attempts": 0, "id": "i",
        "job": "Illuminate\\Queue\\CallQueuedHandler@call",
        "data": {"commandName": "App\\Jobs\\Succeed", "command": "O:16:\"App\\Jobs\\Succeed\":1:{s:4:\"na"}});
    app.push(&json!([{"raw": raw.to_string()}]));
    let endpoint = completes();
    let end = Running::start(forward(&app, &endpoint.url("/"), &["--max-jobs=1"])).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let rows = app.failed_rows();
    let reason = rows[0]["exception"].as_str().unwrap();
    let told = "UnexpectedValueException: App\\Jobs\\Succeed cannot be sent: its command is not to be read: ";
    assert!(reason.starts_with(told), "{reason}");
    assert!(endpoint.asked().is_empty());
}

#[test]
fn beside_a_pool_every_other_class_runs_in_php() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(
        &json!([{"job": "Succeed", "args": ["sent"]}, {"job": "OnOtherQueue", "args": ["php", "default"]}]),
    );
    let endpoint = completes();
    let mut command = app.command(env!("CARGO_BIN_EXE_handover"));
    let route = format!("--http=App\\Jobs\\Succeed={}", endpoint.url("/"));
    command.args(["queue:work", "--php", "--max-jobs=2", &route]).env("HANDOVER_HTTP_SECRET", SECRET);
    let end = Running::start(command).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_eq!(endpoint.asked().len(), 1);
    assert_eq!(app.trace(), ["OnOtherQueue php attempt 1"]);
}

#[tokio::test]
async fn in_code_an_endpoint_has_a_secret_a_header_and_a_time_of_its_own() {
    let payload = |class: &str| {
        json!({"displayName": class, "job": class, "data": {"n": 1}, "maxTries": 1, "timeout": 0, "uuid": class, "attempts": 0})
            .to_string()
    };
    let queue = MemoryQueue::new();
    queue.push_now("default", &payload("Quick"));
    queue.push_now("default", &payload("Slow"));
    let endpoint = completes();
    let silent = Endpoint::start(|_, _| {});
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let heard = reasons.clone();
    Worker::on(queue.clone())
        .http("Quick", http::Endpoint::new(endpoint.url("/")).secret("b3du").header("X-Team", "reports"))
        .http("Slow", http::Endpoint::new(silent.url("/")).unsigned().timeout(Duration::from_millis(100)))
        .on_event(move |event| {
            if let Event::Failed { exception, .. } = event {
                heard.lock().unwrap().push(exception.message.clone());
            }
        })
        .drain()
        .await
        .unwrap();
    assert_eq!(*reasons.lock().unwrap(), ["Slow has timed out."]);
    assert_eq!(endpoint.asked()[0].headers["x-team"], "reports");
    assert!(endpoint.asked()[0].headers["webhook-signature"].starts_with("v1,"));
    assert_eq!(*reasons.lock().unwrap(), ["Slow has timed out."]);
    assert_eq!(queue.sizes("default").pending, 0);
    let unsigned = Worker::on(queue).http("A", "https://a").drain().await.unwrap_err();
    assert!(unsigned.to_string().contains("[A] has no secret"), "{unsigned}");
}
