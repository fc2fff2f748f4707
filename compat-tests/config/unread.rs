//! An app that nobody can read: what is said, which flags do without, and what `--guess-config` takes.

use serde_json::json;

use super::inspect;
use crate::support::laravel::App;
use crate::support::process::{Finished, Running};
use crate::support::redis::Redis;

fn without_php(app: &App, words: &[&str]) -> Finished {
    let mut command = app.command(env!("CARGO_BIN_EXE_handover"));
    command.args(words).env("HANDOVER_PHP_BINARY", "");
    Running::start(command).finish()
}

#[test]
fn without_php_and_a_cached_configuration_it_refuses_and_names_the_ways_out() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let told = without_php(&app, &["queue:inspect"]);
    assert_eq!(told.code, 1);
    for way in ["HANDOVER_PHP_BINARY", "config:cache", "--redis", "--prefix", "--guess-config"] {
        assert!(told.stderr.contains(way), "{way}: {}", told.stderr);
    }
    app.push(&json!([{"job": "Succeed", "args": ["a"]}]));
    let url = redis.url(0);
    let shown = without_php(&app, &["queue:inspect", "--redis", &url, "--prefix", "fixture_app_database_"]);
    assert!(shown.stdout.contains("pending: 1"), "{}{}", shown.stdout, shown.stderr);
}

#[test]
fn a_guess_finds_the_jobs_and_says_loudly_what_it_took() {
    let redis = Redis::start();
    let mut app = App::new(&redis);
    app.set_env("QUEUE_CONNECTION", "redis");
    app.set_file("composer.lock", r#"{"packages":[{"name":"laravel/framework","version":"v8.83.26"}]}"#);
    app.push(&json!([{"job": "Succeed", "args": ["a"]}]));
    let guessed = without_php(&app, &["queue:inspect", "--guess-config"]);
    assert!(guessed.stdout.contains("pending: 1"), "{}{}", guessed.stdout, guessed.stderr);
    assert!(guessed.stderr.contains("GUESSED: the key prefix"), "{}", guessed.stderr);
    let mut worker = app.command(crate::support::worker_binary());
    worker.args(["--guess-config", "--once", "--sleep=0", "-v"]).env("HANDOVER_PHP_BINARY", "");
    let told = Running::start(worker).finish().stderr;
    for sentence in [
        "GUESSED: the configuration",
        "Laravel 8.83.26 (known from composer.lock)",
        "the key prefix [fixture_app_database_], from APP_NAME [Fixture App]",
        "prefix [fixture_app_database_] from a guess",
        "GUESSED: failed jobs",
    ] {
        assert!(told.contains(sentence), "{sentence}: {told}");
    }
}

#[test]
fn a_guess_of_another_driver_and_of_a_name_that_is_not_ascii_are_refused() {
    let redis = Redis::start();
    let mut app = App::new(&redis);
    let told = without_php(&app, &["queue:inspect", "--guess-config"]);
    assert!(told.stderr.contains("[database] has the driver [database]"), "{}", told.stderr);
    app.set_env("APP_NAME", "Käse");
    let told = without_php(&app, &["queue:inspect", "redis", "--guess-config"]);
    assert!(told.code == 1 && told.stderr.contains("--prefix"), "{}", told.stderr);
}

#[test]
fn nothing_is_guessed_where_php_can_tell() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "Succeed", "args": ["a"]}]));
    let shown = inspect(&app, &["--guess-config"]);
    assert!(shown.stdout.contains("pending: 1") && !shown.stderr.contains("GUESSED"), "{}", shown.stderr);
}
