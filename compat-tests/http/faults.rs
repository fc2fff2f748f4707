//! Endpoints that are slow, endless, too large, broken or not there: each job ends for one clear reason, within bounds.

use std::time::Duration;

use serde_json::json;

use super::endpoint::{Endpoint, answer};
use super::{failures, forward, name_in, named};
use crate::support::certificates::Certificates;
use crate::support::laravel::App;
use crate::support::ports;
use crate::support::process::{Running, wait_until};
use crate::support::redis::Redis;
use crate::support::snapshot::now;

const TIMED_OUT: &str = "Illuminate\\Queue\\MaxAttemptsExceededException: App\\Jobs\\Succeed has been attempted too many times or run too long. The job may have previously timed out.";

/// Why a job with one try and so many seconds failed whose endpoint does this.
#[track_caller]
fn fails_with(url: &str, timeout: u32, told: &str) {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([named("it", json!({"tries": 1, "timeout": timeout}))]));
    let mut worker = forward(&app, url, &["--max-jobs=1"]);
    // A name server that is out of reach must not take longer than the test.
    worker.env("RES_OPTIONS", "attempts:1 timeout:1");
    let end = Running::start(worker).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let failures = failures(&app);
    assert!(failures.get("it").is_some_and(|reason| reason.contains(told)), "{failures:?}\n{}", end.stderr);
    assert_eq!(redis.query::<usize>(&["ZCARD", &app.key("queues:default:reserved")]), 0);
}

/// Sends a byte at a time until nobody listens.
fn drip(line: &mut dyn super::endpoint::Line) {
    while line.write_all(b"x").and_then(|()| line.flush()).is_ok() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_endpoint_that_never_answers_is_left_when_the_time_is_up() {
    let endpoint = Endpoint::start(|_, _| {});
    fails_with(&endpoint.url("/"), 1, TIMED_OUT);
}

#[test]
fn an_answer_that_never_ends_is_left_when_the_time_is_up() {
    for head in ["HTTP/1.1 200 OK\r\nX-Slow: ", "HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"] {
        let endpoint = Endpoint::start(move |_, line| {
            let _ = line.write_all(head.as_bytes());
            drip(line);
        });
        fails_with(&endpoint.url("/"), 1, TIMED_OUT);
    }
}

#[test]
fn a_refusal_that_never_ends_has_said_enough() {
    let endpoint = Endpoint::start(|_, line| {
        let _ = line.write_all(b"HTTP/1.1 410 Gone\r\nContent-Length: 99999\r\n\r\n");
        drip(line);
    });
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([named("it", json!({"timeout": 30}))]));
    let end = Running::start(forward(&app, &endpoint.url("/"), &["--max-jobs=1"])).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert!(failures(&app)["it"].ends_with(" answered 410 Gone"), "{:?}", failures(&app));
}

#[test]
fn an_answer_above_the_bound_is_not_read_to_its_end() {
    let endpoint = Endpoint::start(|_, line| {
        let _ = line.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n");
        while line.write_all(&[b'x'; 65_536]).is_ok() {}
    });
    fails_with(&endpoint.url("/"), 50, " answered 200 OK with more than 1048576 bytes");
}

#[test]
fn an_answer_that_breaks_off_threw() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([named("in its head", json!({})), named("in its body", json!({}))]));
    app.push(&json!([named("no http", json!({}))]));
    let endpoint = Endpoint::start(|asked, line| {
        let start: &[u8] = match asked.name().as_str() {
            "in its head" => b"HTTP/1.1 200 ",
            "in its body" => b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"action\":\"delete\"}",
            _ => b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        };
        let _ = line.write_all(start);
        line.end();
    });
    let end = Running::start(forward(&app, &endpoint.url("/"), &["--max-jobs=3"])).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let failures = failures(&app);
    let class = "Illuminate\\Http\\Client\\ConnectionException: POST http://127.0.0.1:";
    for (name, told) in [
        ("in its head", ": no answer: connection closed before message completed"),
        (
            "in its body",
            " answered 200 OK, but its answer broke off: end of file before message length reached",
        ),
        ("no http", ": no answer: invalid HTTP version parsed"),
    ] {
        let found = &failures[name];
        assert!(found.starts_with(class) && found.ends_with(told), "{name}: {found}");
    }
}

#[test]
fn nobody_listening_threw() {
    let url = format!("http://127.0.0.1:{}/jobs", ports::free());
    fails_with(&url, 50, &format!("POST {url}: cannot connect: Connection refused"));
}

#[test]
fn a_host_that_nobody_knows_threw() {
    fails_with(
        "http://nowhere.invalid/jobs",
        50,
        "POST http://nowhere.invalid/jobs: cannot connect: failed to lookup",
    );
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_and_nothing_is_sent() {
    let certificates = Certificates::new();
    let endpoint =
        Endpoint::secure(&certificates.certificate("server"), &certificates.key("server"), |_, line| {
            let _ = line.write_all(&answer("200 OK", &[], ""));
        });
    fails_with(&endpoint.url("/"), 50, ": cannot connect: invalid peer certificate: UnknownIssuer");
    assert!(endpoint.asked().is_empty());
}

#[test]
fn a_certificate_of_the_systems_authorities_is_accepted() {
    let certificates = Certificates::new();
    let endpoint =
        Endpoint::secure(&certificates.certificate("server"), &certificates.key("server"), |_, line| {
            let _ = line.write_all(&answer("200 OK", &[], ""));
        });
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([named("it", json!({}))]));
    let mut worker = forward(&app, &endpoint.url("/"), &["--max-jobs=1"]);
    worker.env("SSL_CERT_FILE", certificates.certificate("ca"));
    let end = Running::start(worker).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert!(failures(&app).is_empty(), "{:?}", failures(&app));
    assert_eq!(endpoint.asked().len(), 1);
}

#[test]
fn a_job_that_timed_out_there_waits_out_its_reservation_whatever_its_back_off() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([named("it", json!({"tries": 3, "timeout": 1, "backoff": 2}))]));
    let endpoint = Endpoint::start(|_, _| {});
    let before = now();
    let end = Running::start(forward(&app, &endpoint.url("/"), &["--max-jobs=1"])).finish();
    let after = now();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let delayed: Vec<(String, f64)> =
        redis.query(&["ZRANGE", &app.key("queues:default:delayed"), "0", "-1", "WITHSCORES"]);
    let [(payload, at)] = &delayed[..] else { panic!("{delayed:?} {}", end.stderr) };
    assert_eq!(name_in(payload), "it");
    // The fixture's retry_after is 90 s, counted from the reservation.
    assert!((before + 88.0..=after + 90.0).contains(at), "{} s after the start", at - before);
}

#[test]
fn a_job_that_outlasts_its_lease_is_sent_once() {
    let redis = Redis::start();
    let mut app = App::new(&redis);
    app.set_env("REDIS_QUEUE_RETRY_AFTER", "2");
    app.push(&json!([named("late", json!({"tries": 1, "timeout": 50}))]));
    let (go, gate) = std::sync::mpsc::channel();
    let gate = std::sync::Mutex::new(gate);
    let endpoint = Endpoint::start(move |_, line| {
        let _ = gate.lock().unwrap().recv();
        let _ = line.write_all(&answer("200 OK", &[], ""));
    });
    let mut worker = forward(&app, &endpoint.url("/"), &["--max-jobs=1"]);
    worker.env("RUST_LOG", "debug");
    let worker = Running::start(worker);
    // Four thirds of a lease.
    wait_until("four renewals", || worker.stderr().matches("reservations renewed").count() >= 4);
    go.send(()).unwrap();
    let end = worker.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert!(failures(&app).is_empty(), "{:?}", failures(&app));
    assert_eq!(endpoint.asked().len(), 1);
}
