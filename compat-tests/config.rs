//! The one run of the app's own PHP: what it finds in apps of many shapes, and what is said where it cannot.

mod cached;
mod hyperf;
mod recorded;
mod think;
mod toml;
mod unread;

use serde_json::json;

use crate::support::laravel::App;
use crate::support::process::{Finished, Running};
use crate::support::redis::Redis;

/// `handover queue:inspect` reads the app and prints what it finds there.
fn inspect(app: &App, words: &[&str]) -> Finished {
    let mut command = app.command(env!("CARGO_BIN_EXE_handover"));
    command.arg("queue:inspect").args(words);
    Running::start(command).finish()
}

/// Replaces a part of a file of the app.
pub(crate) fn edit(app: &App, file: &str, from: &str, to: &str) {
    let text = std::fs::read_to_string(app.path(file)).unwrap();
    assert!(text.contains(from), "{file} has no {from:?}");
    app.set_file(file, &text.replacen(from, to, 1));
}

#[test]
fn an_app_that_prints_garbage_is_read_all_the_same() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "Succeed", "args": ["a"]}]));
    edit(
        &app,
        "bootstrap/app.php",
        "<?php",
        "<?php echo \"Deprecated: \\n{\\\"version\\\": 1}\\xff\\n\"; trigger_error('old', E_USER_NOTICE);",
    );
    let shown = inspect(&app, &[]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(shown.stdout.contains("App\\Jobs\\Succeed attempts 0"), "{}", shown.stdout);
}

#[test]
fn an_app_that_does_not_boot_is_told_in_its_own_words() {
    let redis = Redis::start();
    let app = App::new(&redis);
    edit(&app, "bootstrap/app.php", "<?php", "<?php throw new RuntimeException('no key, no service');");
    let told = inspect(&app, &[]);
    assert_eq!(told.code, 1);
    assert!(
        told.stderr.contains("does not boot") && told.stderr.contains("no key, no service"),
        "{}",
        told.stderr
    );
    assert_eq!(told.stdout, "");
}

#[test]
fn a_folder_without_an_app_and_a_php_that_is_none_are_told() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let told = inspect(&app, &["--app", "storage"]);
    assert!(told.stderr.contains("There is no Laravel app in [storage]"), "{}", told.stderr);
    let mut command = app.command(env!("CARGO_BIN_EXE_handover"));
    command.arg("queue:work").env("HANDOVER_PHP_BINARY", "php-that-is-none");
    let told = Running::start(command).finish();
    assert_eq!(told.code, 1);
    assert!(told.stderr.contains("HANDOVER_PHP_BINARY"), "{}", told.stderr);
}

#[test]
fn a_connection_of_its_own_with_its_own_redis_database_and_prefix() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let queue = "'connections' => [ 'shop' => ['driver' => 'redis', 'connection' => 'jobs', 'queue' => 'orders', 'retry_after' => 30],";
    edit(&app, "config/queue.php", "'connections' => [", queue);
    let socket = redis.socket().display().to_string();
    let jobs = format!(
        "'redis' => [ 'jobs' => ['host' => '{socket}', 'port' => 0, 'database' => 2, 'prefix' => 'shop:'],"
    );
    edit(&app, "config/database.php", "'redis' => [", &jobs);
    let push =
        "app('queue')->connection('shop')->pushRaw('{\"job\":\"Shop@sell\",\"attempts\":0}', 'orders');";
    let script = format!(
        "<?php require 'bootstrap/app.php'; $app = app(); $app->make(Illuminate\\Contracts\\Console\\Kernel::class)->bootstrap(); {push}"
    );
    app.set_file("push.php", &script);
    let mut php = app.command("php");
    php.arg("push.php");
    let pushed = Running::start(php).finish();
    assert_eq!(pushed.code, 0, "{}{}", pushed.stdout, pushed.stderr);
    let shown = inspect(&app, &["shop"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(shown.stdout.contains("[orders]") || shown.stdout.contains("orders"), "{}", shown.stdout);
    assert!(shown.stdout.contains("Shop@sell attempts 0"), "{}", shown.stdout);
}

/// An app whose queue `shop` is on a Redis connection of this entry, which one job was pushed to by PHP.
fn shop(redis: &str) -> App {
    let app = App::new(&Redis::start());
    edit(&app, "config/database.php", "'redis' => [", &format!("'redis' => [ {redis}"));
    let queue =
        "'connections' => [ 'shop' => ['driver' => 'redis', 'connection' => 'jobs', 'queue' => 'orders'],";
    edit(&app, "config/queue.php", "'connections' => [", queue);
    let push =
        "app('queue')->connection('shop')->pushRaw('{\"job\":\"Shop@sell\",\"attempts\":4}', 'orders');";
    let script = format!(
        "<?php $app = require 'bootstrap/app.php'; $app->make(Illuminate\\Contracts\\Console\\Kernel::class)->bootstrap(); {push}"
    );
    app.set_file("push.php", &script);
    let mut php = app.command("php");
    php.arg("push.php");
    let pushed = Running::start(php).finish();
    assert_eq!(pushed.code, 0, "{}{}", pushed.stdout, pushed.stderr);
    app
}

#[test]
fn a_url_with_password_and_database_and_a_user_that_this_laravel_does_not_send() {
    let redis = Redis::start_tcp(&[]);
    let () = redis.query(&["CONFIG", "SET", "requirepass", "p@ss/w"]);
    let url = format!("redis://h:p%40ss%2Fw@127.0.0.1:{}/3?prefix=q_", redis.port());
    let app = shop(&format!("'jobs' => ['url' => '{url}', 'host' => 'elsewhere'],"));
    let shown = inspect(&app, &["shop"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(shown.stdout.contains("Shop@sell attempts 4"), "{}", shown.stdout);
}

#[test]
fn a_user_and_password_that_are_a_pair() {
    let redis = Redis::start_tcp(&[]);
    let () = redis.query(&["ACL", "SETUSER", "worker", "on", ">p@ss:w", "~*", "&*", "+@all"]);
    let () = redis.query(&["ACL", "SETUSER", "default", "off"]);
    let port = redis.port();
    let app = shop(&format!(
        "'jobs' => ['host' => '127.0.0.1', 'port' => {port}, 'password' => ['worker', 'p@ss:w'], 'database' => 3],"
    ));
    let shown = inspect(&app, &["shop"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(shown.stdout.contains("Shop@sell attempts 4"), "{}", shown.stdout);
}

#[test]
fn a_number_that_env_made_a_text_is_a_number_and_no_password_is_ever_printed() {
    let redis = Redis::start();
    let mut app = App::new(&redis);
    edit(&app, "config/queue.php", "$seconds(env('REDIS_QUEUE_RETRY_AFTER', 90))", "'45'");
    app.set_env("REDIS_PASSWORD", "hunter2");
    let mut command = app.command(env!("CARGO_BIN_EXE_handover"));
    command.args(["queue:work", "-v"]);
    let told = Running::start(command).finish();
    assert!(told.stderr.contains("lease [45] from the app"), "{}", told.stderr);
    assert!(!told.stderr.contains("hunter2"), "{}", told.stderr);
    edit(&app, "config/queue.php", "'45'", "45, 'queue' => ['a']");
    let told = inspect(&app, &[]);
    assert_ne!(told.code, 0);
    assert!(!format!("{}{}", told.stdout, told.stderr).contains("hunter2"), "{}", told.stderr);
}

#[test]
fn a_store_of_failed_jobs_that_only_php_can_write_needs_php() {
    let redis = Redis::start();
    let app = App::new(&redis);
    // A package has put a store of its own in the place of Laravel's.
    let own = "<?php\nnamespace App;\nclass Store extends \\Illuminate\\Queue\\Failed\\DatabaseUuidFailedJobProvider {}\n";
    app.set_file("app/Store.php", own);
    edit(
        &app,
        "bootstrap/app.php",
        "return $app;",
        "$app->extend('queue.failer', fn () => new App\\Store($app['db'], 'sqlite', 'failed_jobs'));\nreturn $app;",
    );
    let mut command = app.command(crate::support::worker_binary());
    command.arg("--once");
    let told = Running::start(command).finish();
    assert_eq!(told.code, 1);
    assert!(told.stderr.contains("[App\\Store]") && told.stderr.contains("With --php"), "{}", told.stderr);

    // With it, even a native handler's failure is written by the app.
    app.push(&json!([{"job": "ThrowsAlways", "args": ["a", "boom"]}]));
    let mut command = app.command(crate::support::worker_binary());
    command.args(["--php", "--max-jobs=1"]);
    let end = Running::start(command).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let rows = app.failed_rows();
    assert_eq!(rows.len(), 1, "{}", end.stderr);
    assert!(rows[0]["exception"].as_str().unwrap().contains("boom"), "{}", rows[0]);
    assert_eq!(app.trace()[0], "ThrowsAlways a attempt 1");
}

#[test]
fn tls_clusters_and_sentinels_of_the_app_are_found() {
    let list = "['host' => 'a', 'port' => 7000], ['host' => 'b', 'port' => 7001]";
    for (redis, queue, shown) in [
        (
            "'jobs' => ['scheme' => 'tls', 'host' => 'r.example', 'port' => 6380, 'context' => ['verify_peer' => false]],".to_owned(),
            "orders",
            "redis [rediss://r.example:6380/0?verify_peer=0] from the app",
        ),
        (format!("'clusters' => ['jobs' => [{list}]],"), "{orders}", "redis [redis+cluster://a:7000,b:7001] from the app"),
        (
            "'jobs' => ['tcp://a:26379', 'tcp://b:26380', 'options' => ['replication' => 'sentinel', 'service' => 'mymaster', 'parameters' => ['database' => 3, 'password' => 'hunter2']]],".to_owned(),
            "orders",
            "redis [redis+sentinel://a:26379,b:26380/mymaster/3] from the app",
        ),
    ] {
        let app = App::new(&Redis::start());
        edit(&app, "config/database.php", "'redis' => [", &format!("'redis' => [ {redis}"));
        let of_jobs = "'connections' => [ 'shop' => ['driver' => 'redis', 'connection' => 'jobs', 'queue' => 'QUEUE'],";
        edit(&app, "config/queue.php", "'connections' => [", &of_jobs.replace("QUEUE", queue));
        let mut command = app.command(crate::support::worker_binary());
        command.args(["shop", "-v"]);
        let worker = Running::start(command);
        crate::support::process::wait_until("it says where", || worker.stderr().contains("redis ["));
        assert!(worker.stderr().contains(shown), "{}", worker.stderr());
        assert!(!worker.stderr().contains("hunter2"), "{}", worker.stderr());
    }
}

#[test]
fn a_queue_without_braces_on_a_cluster_is_refused_in_a_sentence() {
    let app = App::new(&Redis::start());
    edit(
        &app,
        "config/database.php",
        "'redis' => [",
        "'redis' => [ 'clusters' => ['jobs' => [['host' => 'a']]],",
    );
    let of_jobs =
        "'connections' => [ 'shop' => ['driver' => 'redis', 'connection' => 'jobs', 'queue' => 'orders'],";
    edit(&app, "config/queue.php", "'connections' => [", of_jobs);
    let told = inspect(&app, &["shop"]);
    assert_ne!(told.code, 0);
    assert!(told.stderr.contains("as in [{orders}]"), "{}", told.stderr);
}

#[test]
fn a_forwarded_queue_is_worked_under_the_name_of_the_other() {
    let redis = Redis::start();
    let mut app = App::new(&redis);
    app.set_env("APP_PROVIDERS", "App\\\\Providers\\\\Forwards");
    // As Laravel 13.26 keeps them; this one knows nothing of them.
    app.set_file(
        "app/Providers/Forwards.php",
        "<?php\nnamespace App\\Providers;\nclass Routes { protected $forwards = ['old' => ['redis', 'default'], 'else' => ['sqs', 'default'], 'moved' => ['redis', null]]; }\n\
         class Forwards extends \\Illuminate\\Support\\ServiceProvider { public function register() { $this->app->instance('queue.routes', new Routes); } }\n",
    );
    app.push(&json!([{"job": "Succeed", "args": ["a"]}]));
    assert!(inspect(&app, &["--queue=old"]).stdout.contains("pending: 1"));
    assert!(inspect(&app, &["--queue=else,moved"]).stdout.contains("pending: 0"));
}

#[test]
fn each_connection_of_the_app_has_its_own_settings() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let other = "'connections' => [ 'other' => ['driver' => 'redis', 'connection' => 'cache', 'queue' => 'slow', 'retry_after' => 600],";
    edit(&app, "config/queue.php", "'connections' => [", other);
    for (connection, lines) in [
        ("redis", ["queue [default] from the app", "lease [90] from the app"]),
        ("other", ["queue [slow] from the app", "lease [600] from the app"]),
    ] {
        let mut worker = app.command(crate::support::worker_binary());
        worker.args([connection, "--once", "--sleep=0", "-v"]);
        let told = Running::start(worker).finish().stderr;
        assert!(lines.iter().all(|line| told.contains(line)), "{connection}: {told}");
    }
    let told = inspect(&app, &["none"]);
    assert!(told.code == 1 && told.stderr.contains("[none]"), "{}", told.stderr);
}
