//! Signatures as receivers see them: the packages `standardwebhooks` of PyPI and npm, which are not ours, take what we
//! send and refuse what was altered, is old or is another's. `scripts/setup` puts them below the target directory.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::endpoint::{Asked, Endpoint, answer};
use super::{SECRET, failures, forward, named};
use crate::support::laravel::App;
use crate::support::process::{Running, command};
use crate::support::redis::Redis;

const OTHER: &str = "whsec_YW5vdGhlci1zZWNyZXQtb2YtdGhpcnR5LWJ5dGVz";

/// Where `scripts/setup` installs packages of other ecosystems.
fn packages() -> PathBuf {
    let this = std::env::current_exe().expect("the path of this test");
    this.ancestors().nth(3).expect("a test lives in target/<profile>/deps").join("webhooks")
}

fn verifiers() -> [Command; 2] {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("compat-tests/http");
    for place in ["python/done", "node/done"].map(|done| packages().join(done)) {
        assert!(
            place.exists(),
            "the receivers' own packages are missing: no {}. scripts/setup installs them.",
            place.display()
        );
    }
    let mut py = command(packages().join("python/bin/python"));
    py.arg(scripts.join("verify.py"));
    let mut js = command("node");
    js.arg(scripts.join("verify.js")).arg(packages().join("node"));
    [py, js]
}

/// What both receivers say of a request, `later` seconds after it was sent.
#[track_caller]
fn judged(asked: &Asked, secret: &str, later: i64) -> String {
    let body = std::str::from_utf8(&asked.body).expect("UTF-8");
    let request = json!({"headers": asked.headers, "body": body, "secret": secret, "later": later});
    let said = verifiers().map(|mut verifier| say(&mut verifier, &request));
    assert_eq!(said[0], said[1], "PyPI's and npm's do not agree");
    said[0].clone()
}

fn say(verifier: &mut Command, request: &Value) -> String {
    verifier.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = verifier.spawn().expect("a verifier");
    child.stdin.take().expect("its stdin").write_all(request.to_string().as_bytes()).expect("a request");
    let done = child.wait_with_output().expect("its end");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

/// The one request of a job, sent with these secrets and flags.
fn sent(secrets: &str, flags: &[&str]) -> Asked {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([named("Grüße/ \"1.10\"", json!({}))]));
    let endpoint = Endpoint::start(|_, line| {
        let _ = line.write_all(&answer("200 OK", &[], ""));
    });
    let mut worker = forward(&app, &endpoint.url("/"), &[&["--max-jobs=1"], flags].concat());
    worker.env("HANDOVER_HTTP_SECRET", secrets);
    let end = Running::start(worker).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert!(failures(&app).is_empty());
    endpoint.asked().remove(0)
}

#[test]
fn receivers_accept_what_was_sent() {
    assert_eq!(judged(&sent(SECRET, &[]), SECRET, 0), "accepted");
}

#[test]
fn receivers_refuse_what_was_altered_what_is_another_s_and_what_is_old() {
    let asked = sent(SECRET, &[]);
    let none = "No matching signature found";
    assert_eq!(judged(&asked, OTHER, 0), none);
    let mut altered = asked.clone();
    let at = altered.body.iter().position(|byte| *byte == b'1').unwrap();
    altered.body[at] = b'2';
    assert_eq!(judged(&altered, SECRET, 0), none);
    for (header, value) in [("webhook-id", "another"), ("webhook-timestamp", "")] {
        let mut altered = asked.clone();
        let sent: i64 = asked.headers["webhook-timestamp"].parse().unwrap();
        let value = if value.is_empty() { (sent + 1).to_string() } else { value.to_owned() };
        altered.headers.insert(header.to_owned(), value);
        assert_eq!(judged(&altered, SECRET, 0), none, "{header}");
    }
    assert_eq!(judged(&asked, SECRET, 600), "Message timestamp too old");
}

#[test]
fn while_a_secret_is_replaced_receivers_of_either_accept() {
    let asked = sent(&format!("{OTHER} {SECRET}"), &[]);
    assert_eq!(judged(&asked, SECRET, 0), "accepted");
    assert_eq!(judged(&asked, OTHER, 0), "accepted");
    assert_eq!(judged(&asked, "whsec_dGhpcmQtdGhpcmQtdGhpcmQtdGhpcmQ=", 0), "No matching signature found");
}

#[test]
fn without_a_secret_nothing_starts_unless_it_is_asked_for() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let mut worker = forward(&app, "http://user:hush@localhost:1/?token=hush", &["-v"]);
    let end = Running::start({
        worker.env("HANDOVER_HTTP_SECRET", "");
        worker
    })
    .finish();
    assert_eq!(end.code, 1);
    assert!(end.stderr.contains("The HTTP route [App\\Jobs\\*] has no secret to sign"), "{}", end.stderr);
    assert!(!end.stderr.contains("hush"), "{}", end.stderr);
    let asked = sent("", &["--http-unsigned"]);
    assert!(!asked.headers.contains_key("webhook-signature") && asked.headers.contains_key("webhook-id"));
}

#[test]
fn a_secret_is_never_told() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([named("told", json!({}))]));
    let endpoint = Endpoint::start(|_, line| {
        let _ = line.write_all(&answer("500 Internal Server Error", &[], ""));
    });
    let url = endpoint.url("/jobs?token=hush").replace("http://", "http://me:hush@");
    let mut worker = forward(&app, &url, &["--max-jobs=1", "-vvv"]);
    worker.env("RUST_LOG", "trace");
    let end = Running::start(worker).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let secret = SECRET.trim_start_matches("whsec_");
    let told = format!("{}{}{:?}", end.stdout, end.stderr, app.failed_rows());
    assert!(told.contains(" answered 500"), "{told}");
    for hidden in [secret, "hush", "handover-handover-handover"] {
        assert!(!told.contains(hidden), "[{hidden}] in {told}");
    }
}
