//! What a worker of think-queue prints, and how it ends: §10 and §11 of its facts.

use super::shell::{job, push, work};
use crate::support::redis::Redis;

const READY: &str = "{queues:default}";
const OLD_READY: &str = "queues:default";

/// Without the dates, each of which has to be one.
#[track_caller]
fn undated(stdout: &str) -> Vec<String> {
    let undated = |line: &str| {
        let (date, rest) = line.split_at(21);
        let parsed = chrono::NaiveDateTime::parse_from_str(date, "[%Y-%m-%d %H:%M:%S]");
        assert!(parsed.is_ok(), "{line}");
        rest.to_owned()
    };
    stdout.lines().map(undated).collect()
}

#[test]
fn version_3_says_processing_then_processed_or_failed_and_nothing_of_a_job_that_runs_again() {
    let (redis, folder) = (Redis::start(), tempfile::tempdir().unwrap());
    push(&redis, READY, &job("App\\Legacy@fire", "1", 0, true));
    push(&redis, READY, &job("App\\Legacy@throws", "2", 1, true));
    push(&redis, READY, &job("App\\Legacy@throws", "3", 0, true));
    let words = ["--dialect=think", "--concurrency=1", "--stop-when-empty", "--tries=2", "--delay=600"];
    let end = work(&redis, folder.path(), &words).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_eq!(
        undated(&end.stdout),
        [
            "[id-0] Processing: App\\Legacy@fire",
            "[id-0] Processed:  App\\Legacy@fire",
            "[id-1] Processing: App\\Legacy@throws",
            "[id-1] Failed:     App\\Legacy@throws",
            "[id-0] Processing: App\\Legacy@throws",
        ]
    );
    assert_eq!(redis.query::<i64>(&["ZCARD", "{queues:default}:delayed"]), 1);
}

#[test]
fn row_12_a_job_that_settles_nothing_was_processed_and_stays_reserved() {
    for (dialect, ready, attempts, line) in [
        ("--dialect=think", READY, 0, "[id-0] Processed:  Noop"),
        ("--dialect=think1", OLD_READY, 1, "Processed: Noop"),
    ] {
        let (redis, folder) = (Redis::start(), tempfile::tempdir().unwrap());
        push(&redis, ready, &job("Noop", "1", attempts, attempts == 0));
        let end = work(&redis, folder.path(), &[dialect, "--daemon", "--stop-when-empty"]).finish();
        assert!(end.stdout.trim_end().ends_with(line), "{}{}", end.stdout, end.stderr);
        let left: Vec<String> = redis.query(&["ZRANGE", &format!("{ready}:reserved"), "0", "-1"]);
        assert_eq!(left, [job("Noop", "1", attempts, attempts == 0).replace("attempts\":0", "attempts\":1")]);
    }
}

#[test]
fn a_terminals_colours_are_thinkphps() {
    let (redis, folder) = (Redis::start(), tempfile::tempdir().unwrap());
    push(&redis, READY, &job("App\\Legacy@fire", "1", 0, true));
    let end = work(&redis, folder.path(), &["--dialect=think", "--stop-when-empty", "--ansi"]).finish();
    let lines: Vec<&str> = end.stdout.lines().collect();
    assert!(lines[0].starts_with("\x1b[33m["), "{lines:?}");
    assert!(lines[0].ends_with("Processing:\x1b[0m App\\Legacy@fire"), "{lines:?}");
    assert!(lines[1].starts_with("\x1b[32m["), "{lines:?}");
}

#[test]
fn json_lines_stay_what_they_are() {
    let (redis, folder) = (Redis::start(), tempfile::tempdir().unwrap());
    push(&redis, READY, &job("App\\Legacy@fire", "1", 0, true));
    let end = work(&redis, folder.path(), &["--dialect=think", "--stop-when-empty", "--json"]).finish();
    let statuses: Vec<serde_json::Value> = end
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["status"].clone())
        .collect();
    assert_eq!(statuses, ["starting", "success"]);
}

#[test]
fn row_17_versions_1_and_2_say_processed_or_failed_once_a_job_is_over() {
    for dialect in ["--dialect=think1", "--dialect=think2"] {
        let (redis, folder) = (Redis::start(), tempfile::tempdir().unwrap());
        push(&redis, OLD_READY, &job("App\\Legacy@fire", "1", 1, false));
        push(&redis, OLD_READY, &job("App\\Legacy@throws", "2", 1, false));
        push(&redis, OLD_READY, &job("App\\Legacy@throws", "3", 3, false));
        let words = [dialect, "--daemon", "--concurrency=1", "--stop-when-empty", "--tries=2", "--delay=600"];
        let end = work(&redis, folder.path(), &words).finish();
        assert_eq!(
            (end.code, &*end.stdout),
            (0, "Processed: App\\Legacy@fire\nFailed: App\\Legacy@throws\n")
        );
    }
}

#[test]
fn without_daemon_versions_1_and_2_run_one_job_or_sleep_once() {
    for dialect in ["--dialect=think1", "--dialect=think2"] {
        let (redis, folder) = (Redis::start(), tempfile::tempdir().unwrap());
        for n in ["1", "2"] {
            push(&redis, OLD_READY, &job("App\\Legacy@fire", n, 1, false));
        }
        for left in [1, 0, 0] {
            let end = work(&redis, folder.path(), &[dialect, "--sleep=0"]).finish();
            assert_eq!(end.code, 0, "{}", end.stderr);
            assert_eq!(redis.query::<i64>(&["LLEN", OLD_READY]), left);
        }
        let trace = std::fs::read_to_string(folder.path().join("trace.log")).unwrap();
        assert_eq!(trace.lines().count(), 2, "{trace}");
    }
}

#[test]
fn row_31_the_memory_limit_ends_version_3_with_12_and_those_before_with_0() {
    for (dialect, ready, attempts, code) in [
        ("--dialect=think", READY, 0, 12),
        ("--dialect=think2", OLD_READY, 1, 0),
        ("--dialect=think1", OLD_READY, 1, 0),
    ] {
        let (redis, folder) = (Redis::start(), tempfile::tempdir().unwrap());
        push(&redis, ready, &job("App\\Legacy@fire", "1", attempts, attempts == 0));
        let end = work(&redis, folder.path(), &[dialect, "--daemon", "--memory=1"]).finish();
        assert_eq!(end.code, code, "{dialect}: {}", end.stderr);
        assert!(end.stdout.contains("Processed: "), "{}", end.stdout);
    }
}
