//! `handover.toml` and its place in the order: flag, variable, file, app, default.

use super::inspect;
use crate::support::laravel::App;
use crate::support::process::Running;
use crate::support::redis::Redis;

#[test]
fn each_value_comes_from_the_first_that_names_it_and_v_says_which() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.set_file("handover.toml", "tries = 3\ntimeout = 20\n[work]\nlease = 33\nbackoff = [1, 5]\n");
    let mut worker = app.command(crate::support::worker_binary());
    worker.args(["--once", "--sleep=0", "-v", "--tries=5"]).env("HANDOVER_TIMEOUT", "30");
    let told = Running::start(worker).finish().stderr;
    for line in [
        "tries [5] from flag",
        "timeout [30] from HANDOVER_TIMEOUT",
        "lease [33] from ./handover.toml",
        "backoff [1,5] from ./handover.toml",
        "prefix [fixture_app_database_] from the app",
        "concurrency [16] from default",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
}

#[test]
fn a_file_of_another_name_goes_in_the_place_of_the_apps() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.set_file("handover.toml", "queue = 'first'");
    app.set_file("other.toml", "queue = ['second', 'third']");
    let shown = inspect(&app, &[]);
    assert!(shown.stdout.contains("[redis:first]"), "{}{}", shown.stdout, shown.stderr);
    let shown = inspect(&app, &["--config", "other.toml"]).stdout;
    assert!(shown.contains("[redis:second]") && shown.contains("[redis:third]"), "{shown}");
    let told = inspect(&app, &["--config", "none.toml"]);
    assert_eq!(told.code, 1);
    assert!(told.stderr.contains("[none.toml] cannot be read"), "{}", told.stderr);
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.set_file("handover.toml", "concurency = 3");
    let told = inspect(&app, &[]);
    assert_eq!(told.code, 1);
    assert!(told.stderr.contains("[concurency]") && told.stderr.contains("[concurrency]"), "{}", told.stderr);
}

#[test]
fn routes_to_endpoints_stand_in_tables_of_their_own() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.set_file(
        "handover.toml",
        "tries = 2\n[[http]]\npattern = 'App\\Jobs\\Mail'\nurl = 'https://mail.internal/jobs'\nsecret = 'whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='\n",
    );
    let mut worker = app.command(crate::support::worker_binary());
    worker.args(["--once", "--sleep=0", "-v"]);
    let told = Running::start(worker).finish().stderr;
    assert!(told.contains("App\\Jobs\\Mail to https://mail.internal/jobs"), "{told}");
    assert!(told.contains("tries [2] from ./handover.toml") && !told.contains("whsec_"), "{told}");
}

#[test]
fn a_value_of_another_kind_is_refused_with_what_is_taken() {
    let redis = Redis::start();
    let app = App::new(&redis);
    for (written, told) in [
        ("concurrency = true", "gives [concurrency] a boolean; a text or a number is taken."),
        ("queue = true", "gives [queue] a boolean; a text or a list is taken."),
        ("tries = [1, 2]", "gives [tries] an array; a text or a number is taken."),
    ] {
        app.set_file("handover.toml", written);
        let said = inspect(&app, &[]).stderr;
        assert!(said.contains(told), "{written}: {said}");
    }
}
