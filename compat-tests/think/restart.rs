//! Row 30: the cache item of `queue:restart`, in Redis and in ThinkPHP's file caches.

use std::path::Path;

use super::shell::{handover, job, push, work};
use crate::support::process::{Running, wait_until};
use crate::support::redis::Redis;

const READY: &str = "{queues:default}";

/// A worker that has run a job, so that it has read the item.
fn working(redis: &Redis, folder: &Path, words: &[&str]) -> Running {
    let worker = work(redis, folder, words);
    wait_until("it has run a job", || worker.stdout().contains("Processed: "));
    worker
}

#[test]
fn row_30_a_changed_key_in_redis_ends_the_worker_once_its_job_is_done() {
    let (redis, folder) = (Redis::start(), tempfile::tempdir().unwrap());
    let key = format!("--restart-key={}&key=shop:think:queue:restart", redis.url(3));
    let _: () =
        ::redis::cmd("SET").arg("shop:think:queue:restart").arg("1").query(&mut redis.connect(3)).unwrap();
    push(&redis, READY, &job("LooksUp", r#"{"name":"x"}"#, 0, true));
    let worker = work(&redis, folder.path(), &["--dialect=think", &key]);
    wait_until("its job runs", || folder.path().join("trace.log").exists());

    let told = handover(&redis, &["queue:restart", "--dialect=think", &key]);
    assert_eq!((told.code, &*told.stdout), (0, "Broadcasting queue restart signal.\n"), "{}", told.stderr);
    let written: String =
        ::redis::cmd("GET").arg("shop:think:queue:restart").query(&mut redis.connect(3)).unwrap();
    assert!(written.parse::<i64>().unwrap() > 1_700_000_000, "{written}");
    // It takes no more jobs, and lets go of none.
    wait_until("it drains", || worker.stderr().contains("waiting for 1"));
    push(&redis, READY, &job("App\\Legacy@fire", "1", 0, true));
    std::fs::create_dir_all(folder.path().join("storage/gates")).unwrap();
    std::fs::write(folder.path().join("storage/gates/x"), "").unwrap();
    let end = worker.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert!(end.stdout.contains("Processed:  LooksUp"), "{}", end.stdout);
    assert_eq!(redis.query::<i64>(&["LLEN", READY]), 1);
}

#[test]
fn row_30_the_file_caches_of_thinkphp_5_0_and_later_are_written_and_read_in_their_own_bytes() {
    for (dialect, ready, attempts, value) in [
        ("--dialect=think1", "queues:default", 1, ["i:1700000000;", "i:", ";"]),
        ("--dialect=think2", "queues:default", 1, ["1700000000", "", ""]),
        ("--dialect=think", READY, 0, ["1700000000", "", ""]),
    ] {
        let (redis, folder) = (Redis::start(), tempfile::tempdir().unwrap());
        let file = folder.path().join("cache/fe/767bdf35445c5d9d176a0c20c983f6.php");
        let head = "<?php\n//000000000000\n exit();?>\n";
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, format!("{head}{}", value[0])).unwrap();
        let cache = folder.path().join("cache");
        let key = format!("--restart-key={}", cache.display());
        push(&redis, ready, &job("App\\Legacy@fire", "1", attempts, attempts == 0));
        let worker = working(&redis, folder.path(), &[dialect, "--daemon", &key]);
        let told = handover(&redis, &["queue:restart", dialect, &key]);
        assert_eq!(told.code, 0, "{}", told.stderr);
        let end = worker.finish();
        assert_eq!(end.code, 0, "{dialect}: {}", end.stderr);

        let written = std::fs::read_to_string(&file).unwrap();
        let second = written.strip_prefix(&format!("{head}{}", value[1])).unwrap();
        let second = second.strip_suffix(value[2]).unwrap();
        assert!(second.parse::<i64>().unwrap() > 1_700_000_000, "{written:?}");
        assert_eq!(std::fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "no draft is left");
    }
}

#[test]
fn a_cache_that_is_gone_stops_nobody_and_is_heard_again_once_it_is_back() {
    let (redis, mut cache, folder) = (Redis::start(), Redis::start(), tempfile::tempdir().unwrap());
    let key = format!("--restart-key={}", cache.url(0));
    push(&redis, READY, &job("App\\Legacy@fire", "1", 0, true));
    let mut worker = working(&redis, folder.path(), &["--dialect=think", "--sleep=0.05", &key]);
    cache.kill();
    wait_until("it says so", || worker.stderr().contains("queue:restart cannot be heard of"));
    push(&redis, READY, &job("App\\Legacy@again", "2", 1, true));
    wait_until("it works on", || worker.stdout().matches("Processed: ").count() == 2);
    assert!(worker.is_running());
    cache.restart();
    assert_eq!(handover(&redis, &["queue:restart", "--dialect=think", &key]).code, 0);
    assert_eq!(worker.finish().code, 0);
}

#[test]
fn laravels_item_is_watched_without_php_as_well() {
    let (redis, folder) = (Redis::start(), tempfile::tempdir().unwrap());
    let key = format!("--restart-key={}&key=laravel_cache_:illuminate:queue:restart", redis.url(1));
    push(&redis, "queues:default", r#"{"displayName":"Noop","job":"Noop@fire","data":[],"attempts":0}"#);
    let worker = work(&redis, folder.path(), &["--prefix=", &key]);
    wait_until("it has run a job", || worker.stdout().contains("DONE"));
    assert_eq!(handover(&redis, &["queue:restart", "--prefix=", &key]).code, 0);
    assert_eq!(worker.finish().code, 0);
}

#[test]
fn where_the_cache_is_has_to_be_said() {
    let redis = Redis::start();
    let told = handover(&redis, &["queue:restart", "--dialect=think"]);
    assert_eq!(told.code, 1);
    assert!(told.stderr.contains("name it with --restart-key"), "{}", told.stderr);
}
