//! The table of answers, row by row.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::endpoint::{Endpoint, answer};
use super::{failures, forward, name_in, named};
use crate::support::laravel::App;
use crate::support::process::Running;
use crate::support::redis::Redis;
use crate::support::snapshot::now;

/// What a row of the table leads to.
enum Then {
    Gone,
    /// Delayed by so many seconds.
    Released(i64),
    /// Failed, with an exception that begins so.
    Failed(&'static str),
}
use Then::{Failed, Gone, Released};

struct Row {
    name: &'static str,
    with: Value,
    answer: Vec<u8>,
    then: Then,
}

fn row(name: &'static str, answer: Vec<u8>, then: Then) -> Row {
    Row { name, with: json!({"tries": 1}), answer, then }
}

fn says(body: &str) -> Vec<u8> {
    answer("200 OK", &["Content-Type: application/json"], body)
}

const REFUSED: &str = "Illuminate\\Http\\Client\\RequestException: POST http://127.0.0.1:";

fn rows() -> Vec<Row> {
    let in_300_s = httpdate(Duration::from_secs(300));
    let busy = |status: &str, after: &str| answer(status, &[&format!("Retry-After: {after}")], "busy");
    vec![
        row("empty", answer("200 OK", &[], ""), Gone),
        row("created", answer("201 Created", &[], "done"), Gone),
        row("no content", b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(), Gone),
        row("json", says(r#"{"ok":true,"delay":9}"#), Gone),
        row("deletes", says(r#"{"action":"delete"}"#), Gone),
        row("releases", says(r#"{"action":"release","delay":30}"#), Released(30)),
        row(
            "releases later",
            answer("202 Accepted", &[], r#"{"action":"release","delay":7.2}"#),
            Released(8),
        ),
        row(
            "fails",
            says(r#"{"action":"fail","message":"no such user"}"#),
            Failed("Illuminate\\Queue\\ManuallyFailedException: no such user"),
        ),
        row(
            "fails plainly",
            says(r#"{"action":"fail"}"#),
            Failed("Illuminate\\Queue\\ManuallyFailedException"),
        ),
        row(
            "explodes",
            says(r#"{"action":"explode"}"#),
            Failed(r#" answered the action "explode"; known are"#),
        ),
        Row {
            with: json!({"tries": 9}),
            ..row("gone", answer("410 Gone", &[], "no more"), Failed(" answered 410 Gone: no more"))
        },
        row("busy", busy("429 Too Many Requests", "120"), Released(120)),
        row("busy until", busy("503 Service Unavailable", &in_300_s), Released(300)),
        row("busy for years", busy("502 Bad Gateway", "999999999"), Released(86_400)),
        row("busy for a while", answer("504 Gateway Timeout", &[], ""), Released(5)),
        Row {
            with: json!({"tries": 1, "backoff": 40}),
            ..row("busy, with back-off", answer("503 Service Unavailable", &[], ""), Released(40))
        },
        row(
            "moved",
            answer("302 Found", &["Location: http://u:hush@elsewhere/jobs?t=hush"], ""),
            Failed(
                " answered 302 Found, to [http://elsewhere/jobs]: redirects are not followed; give the route",
            ),
        ),
        row("not found", answer("404 Not Found", &[], ""), Failed(" answered 404 Not Found")),
        row(
            "broken",
            answer("500 Internal Server Error", &[], "Fatal\u{1b}[31m\r\n  error:\tx"),
            Failed(" answered 500 Internal Server Error: Fatal [31m error: x"),
        ),
        row(
            "broken, with an action",
            answer("500 Internal Server Error", &[], r#"{"action":"delete"}"#),
            Failed(r#" answered 500 Internal Server Error: {"action":"delete"}"#),
        ),
    ]
}

fn httpdate(from_now: Duration) -> String {
    let at: chrono::DateTime<chrono::Utc> = (SystemTime::now() + from_now).into();
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[test]
fn every_row_of_the_table_of_answers() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let before = now() as i64;
    let rows = rows();
    let pushed: Vec<Value> = rows.iter().map(|row| named(row.name, row.with.clone())).collect();
    app.push(&json!(pushed));
    let answers: BTreeMap<&str, Vec<u8>> = rows.iter().map(|row| (row.name, row.answer.clone())).collect();
    let endpoint = Endpoint::start(move |asked, line| {
        let _ = line.write_all(&answers[asked.name().as_str()]);
    });
    let flag = format!("--max-jobs={}", rows.len());
    let end = Running::start(forward(&app, &endpoint.url("/jobs"), &[&flag, "--concurrency=4"])).finish();
    let after = now() as i64;
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_eq!(endpoint.asked().len(), rows.len(), "each was asked once");

    let failed = failures(&app);
    let delayed: Vec<(String, f64)> =
        redis.query(&["ZRANGE", &app.key("queues:default:delayed"), "0", "-1", "WITHSCORES"]);
    let mut delayed: BTreeMap<String, f64> =
        delayed.into_iter().map(|(payload, score)| (name_in(&payload), score)).collect();
    for Row { name, then, .. } in &rows {
        let at = delayed.remove(*name);
        match then {
            Gone => assert!(at.is_none() && !failed.contains_key(*name), "{name}: {at:?} {failed:?}"),
            Released(seconds) => {
                let at = at.unwrap_or_else(|| panic!("{name} is not delayed: {failed:?}")) as i64;
                // A date is counted from when the test made it.
                assert!(
                    (before + seconds - 2..=after + seconds + 1).contains(&at),
                    "{name}: {}",
                    at - before
                );
            }
            Failed(reason) => {
                let found = failed.get(*name).unwrap_or_else(|| panic!("{name} has not failed: {failed:?}"));
                assert!(found.contains(reason), "{name}: {found}");
                assert!(
                    found.starts_with("Illuminate\\Queue\\Manually") || found.starts_with(REFUSED),
                    "{found}"
                );
                assert!(!found.contains("hush"), "{found}");
            }
        }
    }
    assert_eq!(redis.query::<usize>(&["ZCARD", &app.key("queues:default:reserved")]), 0);
    assert!(end.stderr.contains("released for 120 s: POST http://127.0.0.1:"), "{}", end.stderr);
    assert!(end.stderr.contains(" answered 429 Too Many Requests: busy"), "{}", end.stderr);
}

#[test]
fn what_threw_runs_again_as_often_as_it_may() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([named("twice", json!({"tries": 2}))]));
    let endpoint = Endpoint::start(|_, line| {
        let _ = line.write_all(&answer("500 Internal Server Error", &[], "boom"));
    });
    let end = Running::start(forward(&app, &endpoint.url("/"), &["--max-jobs=2"])).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert!(failures(&app)["twice"].ends_with(" answered 500 Internal Server Error: boom"));
    let asked = endpoint.asked();
    let attempts: Vec<_> = asked.iter().map(|asked| asked.json()["data"]["attempts"].clone()).collect();
    assert_eq!(attempts, [1, 2]);
    assert_eq!(asked[0].headers["webhook-id"], asked[1].headers["webhook-id"]);
}
