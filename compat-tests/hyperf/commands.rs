//! Hyperf's commands for a queue's lists, §10 of its facts, and the timeout list put back by the worker itself, §12.

use crate::support::process::{Finished, Running, command, wait_until};
use crate::support::redis::Redis;

fn handover(redis: &Redis, words: &[&str]) -> Finished {
    let mut command = command(env!("CARGO_BIN_EXE_handover"));
    command.args(words).args(["--dialect=hyperf", "--redis", &redis.url(0)]);
    Running::start(command).finish()
}

#[track_caller]
fn says(redis: &Redis, words: &[&str], stdout: &str) {
    let told = handover(redis, words);
    assert_eq!((told.code, &*told.stdout), (0, stdout), "{words:?}: {}", told.stderr);
}

#[track_caller]
fn refuses(redis: &Redis, words: &[&str], told: &str) {
    let end = handover(redis, words);
    assert_eq!((end.code, &*end.stdout), (1, ""), "{words:?}");
    assert!(end.stderr.contains(told), "{}", end.stderr);
}

/// Pushes messages as Hyperf does, the last one at the head.
fn fill(redis: &Redis, list: &str, messages: &[&str]) {
    for message in messages {
        let _: i64 = redis.query(&["LPUSH", list, message]);
    }
}

fn list(redis: &Redis, key: &str) -> Vec<String> {
    redis.query(&["LRANGE", key, "0", "-1"])
}

#[test]
fn row_17_queue_info_counts_waiting_delayed_failed_and_timeout_and_no_reserved() {
    let redis = Redis::start();
    fill(&redis, "{queue}:waiting", &["a", "b", "c", "d"]);
    fill(&redis, "{queue}:failed", &["a", "b"]);
    fill(&redis, "{queue}:timeout", &["a"]);
    let _: i64 = redis.query(&["ZADD", "{queue}:delayed", "1", "a", "2", "b", "3", "c"]);
    let _: i64 = redis.query(&["ZADD", "{queue}:reserved", "1", "a"]);
    let counts = "waiting count is 4.\ndelayed count is 3.\nfailed count is 2.\ntimeout count is 1.\n";
    says(&redis, &["queue:info"], counts);
    says(&redis, &["queue:info", "default"], counts);
    let none = "waiting count is 0.\ndelayed count is 0.\nfailed count is 0.\ntimeout count is 0.\n";
    says(&redis, &["queue:info", "--channel=other"], none);
}

#[test]
fn rows_18_and_31_queue_reload_moves_the_oldest_first_behind_what_waits() {
    let redis = Redis::start();
    fill(&redis, "{queue}:waiting", &["waits"]);
    fill(&redis, "{queue}:failed", &["one", "two"]);
    fill(&redis, "{queue}:timeout", &["late"]);
    says(&redis, &["queue:reload"], "Reload 2 failed message into waiting queue.\n");
    assert_eq!(list(&redis, "{queue}:waiting"), ["two", "one", "waits"]);
    says(
        &redis,
        &["queue:reload", "default", "-Q", "timeout"],
        "Reload 1 failed message into waiting queue.\n",
    );
    assert_eq!(list(&redis, "{queue}:waiting"), ["late", "two", "one", "waits"]);
    says(&redis, &["queue:reload"], "Reload 0 failed message into waiting queue.\n");

    let many: Vec<String> = (0..250).map(|n| n.to_string()).collect();
    fill(&redis, "mail:failed", &many.iter().map(String::as_str).collect::<Vec<_>>());
    says(&redis, &["queue:reload", "--channel=mail"], "Reload 250 failed message into waiting queue.\n");
    let waiting = list(&redis, "mail:waiting");
    assert!(waiting.iter().rev().eq(&many), "{waiting:?}");
}

#[test]
fn row_19_only_failed_and_timeout_are_reloaded() {
    let redis = Redis::start();
    fill(&redis, "{queue}:waiting", &["a"]);
    refuses(&redis, &["queue:reload", "-Qwaiting"], "Queue waiting is not supported.");
    assert_eq!(list(&redis, "{queue}:waiting").len(), 1);
}

#[test]
fn row_20_queue_flush_deletes_one_role_whole_failed_unless_another_is_named() {
    let redis = Redis::start();
    for role in ["waiting", "failed", "timeout"] {
        fill(&redis, &format!("{{queue}}:{role}"), &["a"]);
    }
    let flushed = "Flush all message from failed queue.\n";
    says(&redis, &["queue:flush"], flushed);
    let keys = |redis: &Redis| {
        let mut keys: Vec<String> = redis.query(&["KEYS", "*"]);
        keys.sort();
        keys
    };
    assert_eq!(keys(&redis), ["{queue}:timeout", "{queue}:waiting"]);
    says(&redis, &["queue:flush", "default", "--queue=timeout"], flushed);
    says(&redis, &["queue:flush"], flushed);
    assert_eq!(keys(&redis), ["{queue}:waiting"]);
    refuses(&redis, &["queue:flush", "-Q", "lost"], "Queue lost is not exist.");
}

/// A call of a service's method, as an annotation makes one.
fn call(class: &str, method: &str, params: &str) -> String {
    let text = |text: &str| format!("s:{}:\"{text}\";", text.len());
    let properties = format!(
        "s:11:\"maxAttempts\";i:0;s:6:\"params\";{params}s:5:\"class\";{}s:6:\"method\";{}",
        text(class),
        text(method)
    );
    let job = format!("O:31:\"Hyperf\\AsyncQueue\\AnnotationJob\":4:{{{properties}}}");
    format!("O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{{s:3:\"job\";{job}s:8:\"attempts\";i:1;}}")
}

#[test]
fn queue_dynamic_reload_shows_the_newest_first_and_by_job() {
    let redis = Redis::start();
    let mail = "O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{s:3:\"job\";O:12:\"App\\Job\\Mail\":2:{\
                s:14:\"\0*\0maxAttempts\";i:2;s:2:\"to\";s:5:\"你/b\";}s:8:\"attempts\";i:0;}";
    let send = call("App\\Service", "send", "a:2:{i:0;s:1:\"a\";i:1;i:3;}");
    fill(&redis, "{queue}:failed", &[mail, &send]);
    let shown = "Job: App\\Service::send [[\"a\",3]]\nJob: App\\Job\\Mail [{\"to\":\"你\\/b\"}]\n";
    says(&redis, &["queue:dynamic-reload"], shown);
    let one = "Job: App\\Service::send [[\"a\",3]]\n";
    says(&redis, &["queue:dynamic-reload", "-L1"], one);
    says(&redis, &["queue:dynamic-reload", "-J", "App\\Service::send"], one);
    says(&redis, &["queue:dynamic-reload", "-Q", "timeout"], "");
    assert_eq!(list(&redis, "{queue}:failed").len(), 2);
    refuses(&redis, &["queue:dynamic-reload", "-Q", "lost"], "Queue lost is not exist.");
}

#[test]
fn queue_dynamic_reload_puts_the_messages_of_a_job_back_and_the_others_behind_their_list() {
    let redis = Redis::start();
    let (a, b) = (super::message("App\\A", 1), super::message("App\\B", 1));
    let send = call("App\\Service", "send", "a:0:{}");
    fill(&redis, "{queue}:failed", &[&a, "junk", &send, &b, &a]);
    fill(&redis, "{queue}:waiting", &["waits"]);
    let told = handover(&redis, &["queue:dynamic-reload", "-R", "-J", "App\\A"]);
    let said = "Reload Job: App\\A\nRePush Job: App\\Service::send\nRePush Job: App\\B\nReload Job: App\\A\n";
    assert_eq!((told.code, &*told.stdout), (0, said), "{}", told.stderr);
    assert!(told.stderr.contains("left where it is"), "{}", told.stderr);
    assert_eq!(list(&redis, "{queue}:waiting"), [&*a, &a, "waits"]);
    assert_eq!(list(&redis, "{queue}:failed"), [&*b, &send, "junk"]);

    // Without a job all are meant, here of two.
    let told = handover(&redis, &["queue:dynamic-reload", "default", "-R", "-L2"]);
    assert_eq!(told.stdout, "Reload Job: App\\Service::send\n", "{}", told.stderr);
    assert_eq!(list(&redis, "{queue}:failed"), ["junk", &*b]);
}

#[test]
fn row_32_a_prefix_stands_before_every_key() {
    let redis = Redis::start();
    fill(&redis, "app:{queue}:failed", &["a"]);
    says(&redis, &["queue:reload", "--prefix=app:"], "Reload 1 failed message into waiting queue.\n");
    assert_eq!(list(&redis, "app:{queue}:waiting"), ["a"]);
}

#[test]
fn row_31_a_worker_that_is_told_to_puts_timed_out_messages_back_and_runs_them() {
    let redis = Redis::start();
    let message = super::message("Noop", 0);
    fill(&redis, "{queue}:timeout", &[&message, &message]);
    let worker = super::work(&redis, &["--reload=timeout"]);
    wait_until("they have run", || worker.stdout().matches("Processed Noop.").count() == 2);
    let said = "timeout channel reload 2 messages to waiting channel success.";
    assert!(worker.stderr().contains(said), "{}", worker.stderr());
    assert_eq!(redis.query::<i64>(&["EXISTS", "{queue}:timeout", "{queue}:waiting"]), 0);
}

#[test]
fn row_31_a_worker_that_stops_when_empty_puts_them_back_before_it_finds_nothing() {
    let redis = Redis::start();
    fill(&redis, "{queue}:timeout", &[&super::message("Noop", 0)]);
    let end = super::work(&redis, &["--reload=timeout", "--stop-when-empty"]).finish();
    assert!(end.stdout.contains("Processed Noop."), "{}", end.stderr);
    assert_eq!(redis.query::<Vec<String>>(&["KEYS", "*"]), [""; 0]);
}

#[test]
fn without_that_the_timeout_list_is_left_alone() {
    let redis = Redis::start();
    fill(&redis, "{queue}:timeout", &["late"]);
    fill(&redis, "{queue}:waiting", &[&super::message("Noop", 0)]);
    let worker = super::work(&redis, &["--stop-when-empty"]).finish();
    assert!(worker.stdout.contains("Processed Noop."), "{}", worker.stderr);
    assert_eq!(list(&redis, "{queue}:timeout"), ["late"]);
}

#[test]
fn other_frameworks_have_no_such_commands_and_no_such_list() {
    let redis = Redis::start();
    let think = |words: &[&str]| {
        let mut command = command(env!("CARGO_BIN_EXE_handover"));
        command.args(words).args(["--dialect=think", "--redis", &redis.url(0)]);
        Running::start(command).finish()
    };
    for (words, told) in [
        (&["queue:info"][..], "this command is Hyperf's"),
        (&["queue:reload"], "this command is Hyperf's"),
        (&["queue:flush", "-Qfailed"], "is a role of Hyperf's queues"),
        (&["queue:work", "--reload=timeout"], "a reservation that ends brings its job back by itself"),
    ] {
        let end = think(words);
        assert_eq!(end.code, 1, "{words:?}");
        assert!(end.stderr.contains(told), "{}", end.stderr);
    }
}
