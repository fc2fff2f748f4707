//! `handover doctor`: a sound app passes in silence, and each thing that can be wrong is named, on a real Redis.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

use serde_json::json;

use crate::support::laravel::App;
use crate::support::process::{Finished, Running, wait_until};
use crate::support::redis::Redis;

fn doctor(app: &App, words: &[&str]) -> Finished {
    let mut command = app.command(env!("CARGO_BIN_EXE_handover"));
    command.arg("doctor").args(words);
    Running::start(command).finish()
}

/// Exactly one line is said, with these words in it.
#[track_caller]
fn is_named(told: &Finished, words: &str, code: i32) {
    assert!(told.stdout.contains(words), "{words}: {}{}", told.stdout, told.stderr);
    assert_eq!(told.stdout.lines().count(), 1, "{}", told.stdout);
    assert_eq!(told.code, code, "{}", told.stdout);
}

#[test]
fn a_sound_app_passes_in_silence_with_jobs_in_every_state() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let silent = |app: &App| {
        let told = doctor(app, &[]);
        assert_eq!((told.code, told.stdout.as_str(), told.stderr.as_str()), (0, "", ""));
    };
    silent(&app);
    app.push(&json!([{"job": "Succeed", "args": ["a"]}, {"job": "Succeed", "args": ["b"], "delay": 60}]));
    silent(&app);
    // Neither a worker of ours nor one of PHP that does not block is remarkable.
    let mut worker = app.command(crate::support::worker_binary());
    worker.arg("--quiet");
    let worker = Running::start(worker);
    wait_until("it waits", || redis.query::<String>(&["CLIENT", "LIST"]).contains("cmd=blpop"));
    silent(&app);
    drop(worker);
}

#[test]
fn a_timeout_that_is_not_below_retry_after() {
    let redis = Redis::start();
    let mut app = App::new(&redis);
    is_named(&doctor(&app, &["--timeout=90"]), "The timeout (90 s) is not below the retry_after", 1);
    is_named(&doctor(&app, &["--timeout=0"]), "The timeout (no limit)", 1);
    app.set_env("REDIS_QUEUE_RETRY_AFTER", "60");
    is_named(&doctor(&app, &[]), "of [redis] (60 s)", 1);
    let mut worker = app.command(crate::support::worker_binary());
    worker.args(["--once", "--sleep=0", "-v"]);
    let told = Running::start(worker).finish().stderr;
    assert!(told.contains("The timeout (60 s) is not below"), "{told}");
}

#[test]
fn a_serializer_on_the_queues_connection() {
    let redis = Redis::start();
    let app = App::new(&redis);
    super::config::edit(&app, "config/database.php", "'cluster' => 'redis',", "'serializer' => 1,");
    is_named(&doctor(&app, &[]), "phpredis' serializer is set", 1);
}

#[test]
fn a_cache_that_hides_queue_restart() {
    let redis = Redis::start();
    let mut app = App::new(&redis);
    app.set_env("CACHE_DRIVER", "array");
    is_named(&doctor(&app, &[]), "The default cache store [array] (array) keeps nothing", 1);
}

#[test]
fn a_prefix_that_matches_nothing_while_another_one_does() {
    let redis = Redis::start();
    let mut app = App::new(&redis);
    app.push(&json!([{"job": "Succeed", "args": ["a"]}]));
    app.set_env("REDIS_PREFIX", "renamed_");
    let told = doctor(&app, &[]);
    is_named(&told, "No key begins with [renamed_queues:]", 1);
    assert!(told.stdout.contains("[fixture_app_database_]"), "{}", told.stdout);
}

#[test]
fn an_eviction_policy_that_drops_jobs() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let () = redis.query(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
    assert_eq!(doctor(&app, &[]).code, 0);
    let () = redis.query(&["CONFIG", "SET", "maxmemory", "100mb"]);
    is_named(&doctor(&app, &[]), "maxmemory-policy is allkeys-lru: a full Redis drops whole queues", 1);
    let () = redis.query(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    assert_eq!(doctor(&app, &[]).code, 0);
}

#[test]
fn what_redis_refuses_to_tell_is_said_and_is_not_wrong() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let () = redis.query(&["ACL", "SETUSER", "default", "-info"]);
    is_named(&doctor(&app, &[]), "INFO was refused", 0);
}

#[test]
fn a_client_that_is_not_ours_waiting_on_a_list_and_horizon() {
    let redis = Redis::start();
    let mut app = App::new(&redis);
    app.set_env("REDIS_QUEUE_BLOCK_FOR", "5");
    let worker = app.start_worker(&["--quiet"]);
    wait_until("PHP waits", || redis.query::<String>(&["CLIENT", "LIST"]).contains("cmd=blpop"));
    is_named(&doctor(&app, &[]), "1 other client(s) wait for list elements", 0);
    drop(worker);

    let app = App::new(&redis);
    app.set_file("composer.lock", r#"{"packages":[{"name":"laravel/framework","version":"v8.83.26"},{"name":"laravel/horizon","version":"v5.29.1"}]}"#);
    app.set_file("config/horizon.php", "<?php return ['use' => 'default', 'prefix' => 'h:'];");
    assert_eq!(app.artisan(&["config:cache"]).code, 0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let () = redis.query(&["ZADD", "h:supervisors", &now.to_string(), "web-ab12:supervisor-1"]);
    wait_until("PHP is gone", || !redis.query::<String>(&["CLIENT", "LIST"]).contains("cmd=blpop"));
    is_named(&doctor(&app, &[]), "Horizon is at work here (web-ab12:supervisor-1)", 0);
}

#[test]
fn a_notify_list_that_grew() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let key = app.key("queues:default:notify");
    let tokens = [vec!["RPUSH", &key], vec!["1"; 200]].concat();
    let () = redis.query(&tokens);
    is_named(&doctor(&app, &[]), "The queue [default] has 200 wake-up tokens for 0 ready jobs", 1);
}

#[test]
fn keys_with_and_without_braces() {
    let redis = Redis::start();
    let app = App::new(&redis);
    for name in ["queues:orders", "queues:{orders}"] {
        let () = redis.query(&["RPUSH", &app.key(name), "{}"]);
    }
    is_named(&doctor(&app, &[]), "keys of both [queues:orders] and [queues:{orders}]", 1);
}

/// A Redis of an old version on a clock of its own: it says so much and nothing else.
fn old_and_late(late: u64) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut answers = stream.try_clone().unwrap();
                let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
                while let Some(count) = lines.next() {
                    let words: usize = count.trim_start_matches('*').parse().unwrap();
                    let words: Vec<String> = (0..words).filter_map(|_| lines.by_ref().nth(1)).collect();
                    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
                    let time = (now.as_secs() - late).to_string();
                    let info = "# Server\r\nredis_version:5.0.7\r\nmaxmemory:0\r\n";
                    let answer = match words[0].to_uppercase().as_str() {
                        "TIME" => format!("*2\r\n${}\r\n{time}\r\n$1\r\n0\r\n", time.len()),
                        "INFO" => format!("${}\r\n{info}\r\n", info.len()),
                        "SCAN" => "*2\r\n$1\r\n0\r\n*0\r\n".to_owned(),
                        "LLEN" => ":0\r\n".to_owned(),
                        "CLIENT" if words[1].eq_ignore_ascii_case("list") => "$0\r\n\r\n".to_owned(),
                        _ => "+OK\r\n".to_owned(),
                    };
                    if answers.write_all(answer.as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

#[test]
fn a_redis_that_is_too_old_and_one_whose_clock_is_wrong() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let url = |port: u16| format!("redis://127.0.0.1:{port}/0");
    is_named(&doctor(&app, &["--redis", &url(old_and_late(0))]), "This is Redis 5.0.7", 1);
    let told = doctor(&app, &["--redis", &url(old_and_late(90))]);
    assert!(told.stdout.contains("s ahead of Redis'") && told.code == 1, "{}{}", told.stdout, told.stderr);
}

#[test]
fn a_redis_that_is_not_there_is_no_finding_but_an_error() {
    let app = App::new(&Redis::start());
    let told = doctor(&app, &[]);
    assert_eq!((told.code, told.stdout.as_str()), (1, ""));
    assert!(told.stderr.contains("No such file"), "{}", told.stderr);
}
