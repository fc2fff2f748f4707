//! What a worker prints of Hyperf's jobs: the lines of its QueueHandleListener, §12 of its facts.

use chrono::NaiveDateTime;

use crate::support::redis::Redis;

/// Without the dates that lines begin with.
fn undated(stdout: &str) -> Vec<String> {
    let undated = |line: &str| match line.split_once("] ") {
        Some((date, rest)) if NaiveDateTime::parse_from_str(date, "[%Y-%m-%d %H:%M:%S").is_ok() => {
            rest.to_owned()
        }
        _ => format!("undated: {line}"),
    };
    stdout.lines().map(undated).collect()
}

#[test]
fn a_job_is_processing_then_processed_retried_or_failed_with_its_exception() {
    for (message, ends) in [
        (super::message("Noop", 0), "Processed Noop."),
        (super::message("App\\Jobs\\ThrowsAlways", 1), "Retried App\\Jobs\\ThrowsAlways."),
        (super::message("App\\Jobs\\ThrowsAlways", 0), "Failed App\\Jobs\\ThrowsAlways."),
    ] {
        let redis = Redis::start();
        let _: i64 = redis.query(&["LPUSH", "{queue}:waiting", &message]);
        let end = super::work(&redis, &["--stop-when-empty"]).finish();
        let lines = undated(&end.stdout);
        assert!(lines[0].starts_with("Processing "), "{lines:?}");
        assert_eq!(lines[1], ends, "{lines:?}");
        let told = lines.get(2).is_some_and(|line| line.starts_with("undated: RuntimeException: boom in "));
        assert_eq!(told, ends.starts_with("Failed"), "{lines:?}");
    }
}
