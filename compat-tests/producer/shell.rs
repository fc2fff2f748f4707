//! `handover push`: what it pushes is run by the real `queue:work`, and what it refuses is told.

use serde_json::json;

use super::{shown, work};
use crate::support::laravel::App;
use crate::support::process::{Finished, Running};
use crate::support::redis::Redis;

/// `handover push` with these words, in the application's directory.
fn push(app: &App, words: &[&str]) -> Finished {
    let mut command = app.command(env!("CARGO_BIN_EXE_handover"));
    command.arg("push").args(words);
    Running::start(command).finish()
}

/// The uuids it printed.
#[track_caller]
fn pushed(app: &App, words: &[&str]) -> Vec<String> {
    let end = push(app, words);
    assert_eq!(end.code, 0, "{words:?}: {}", end.stderr);
    let uuids: Vec<String> = end.stdout.lines().map(str::to_owned).collect();
    assert!(uuids.iter().all(|uuid| uuid.len() == 36), "{}", end.stdout);
    uuids
}

#[test]
fn jobs_pushed_from_the_shell_run_in_queue_work() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let legacy = pushed(&app, &["App\\Legacy@fire", "--data", r#"{"a":1}"#]);
    let object = r#"{"name": "shell", "value": [1.5, {"b": "é"}]}"#;
    pushed(
        &app,
        &[
            "\\App\\Jobs\\Shows",
            "--object",
            object,
            "--queue=mail",
            "--tries=3",
            "--timeout=9",
            "--backoff=1,5",
        ],
    );
    let many =
        pushed(&app, &["App\\Jobs\\Succeed", "--object", r#"{"name": "n", "args": []}"#, "--count=120"]);
    pushed(&app, &["App\\Jobs\\Succeed", "redis", "--object", r#"{"name": "l", "args": []}"#, "--delay=60"]);
    assert_eq!((legacy.len(), many.len()), (1, 120));
    assert_eq!(many.iter().collect::<std::collections::BTreeSet<_>>().len(), 120);

    work(&app, "mail,default");
    let mail = shown(&app, "shell");
    assert_eq!(mail["value"], json!([1.5, {"b": "é"}]));
    assert_eq!(mail["limits"], json!([3, null, false, "1,5", 9, null]));
    let trace = app.trace();
    assert!(trace.contains(&"Legacy fire attempt 1 {\"a\":1}".to_owned()));
    assert_eq!(trace.iter().filter(|line| *line == "Succeed n attempt 1").count(), 120);
    assert_eq!(redis.query::<usize>(&["ZCARD", &app.key("queues:default:delayed")]), 1);
    assert_eq!(app.failed_rows().len(), 0);
}

#[test]
fn bytes_that_php_serialized_are_pushed_as_they_are() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let bytes = r#"O:16:"App\Jobs\Carries":2:{s:5:"value";a:2:{i:0;i:1;i:1;s:1:"x";}s:4:"name";s:3:"php";}"#;
    app.set_file("job", bytes);
    let mut shell = app.command("sh");
    let handover = env!("CARGO_BIN_EXE_handover");
    shell.args([
        "-c",
        &format!(
            "'{handover}' php:decode < job | '{handover}' php:encode | '{handover}' push --serialized -"
        ),
    ]);
    let end = Running::start(shell).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    pushed(&app, &["App\\Jobs\\Carries", "--serialized", "job"]);
    work(&app, "default");
    assert_eq!(app.trace(), ["Carries php attempt 1 array"; 2]);
}

#[test]
fn what_cannot_be_pushed_is_told() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.set_file("binary", "");
    std::fs::write(app.path("binary"), b"O:16:\"App\\Jobs\\Carries\":1:{s:5:\"value\";s:1:\"\xff\";}")
        .unwrap();
    for (words, said) in [
        (&["App\\Legacy@fire", "--data", "{a"][..], "the --data option must be JSON, [{a] given"),
        (
            &["App\\Legacy@fire", "--object", "{}"],
            "[App\\Legacy@fire] is a string job, which has no properties: give --data",
        ),
        (
            &["App\\Jobs\\Carries", "--object", "[1]"],
            "expected a struct or map to make an object App\\Jobs\\Carries of",
        ),
        (&["App\\Jobs\\Carries", "--queue=a,b"], "the --queue option must be one queue, [a,b] given"),
        (&[], "no JOB: name its class, or give the object with --serialized"),
        (&["App\\Jobs\\Shows", "--serialized", "binary"], "found one of [App\\Jobs\\Carries]"),
        (
            &["--serialized", "binary"],
            "Unable to JSON encode payload. Error code: 5. A property of [App\\Jobs\\Carries]",
        ),
        (&["--serialized", ".env"], "unserialize(): Error at offset"),
    ] {
        let end = push(&app, words);
        assert_eq!((end.code, end.stdout.as_str()), (1, ""), "{words:?}");
        assert!(end.stderr.contains(said), "{words:?}: {}", end.stderr);
    }
    assert_eq!(redis.query::<Vec<String>>(&["KEYS", "*"]), [""; 0]);
}
