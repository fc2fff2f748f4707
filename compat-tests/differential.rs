//! The claim "drop-in": each story is worked by the real `queue:work` of Laravel 8.83 and by Handover, and the whole
//! keyspace, the SQL rows, the exit code and what user code did must be the same. The numbers are those of the rows of
//! the table of observable behaviours that a story shows.

use serde_json::json;

use crate::support::differential::{Scenario, handover, pooled};

/// The story must end the same with native handlers, and with the application's own classes in a PHP child.
macro_rules! drop_in {
    ($($name:ident: $story:expr;)*) => {
        mod native {$(
            #[test]
            fn $name() {
                use super::*;
                $story.assert_drop_in(&handover);
            }
        )*}
        mod in_php {$(
            #[test]
            fn $name() {
                use super::*;
                $story.assert_drop_in(&pooled);
            }
        )*}
    };
}

drop_in! {
    row_02_08_09_21_48_a_job_succeeds_without_prefix: Scenario::new().env("REDIS_PREFIX", "")
        .push(json!([{"job": "Succeed", "args": ["a", 1, "x", {"k": [true, null]}]}]))
        .work(&["--stop-when-empty"]);
    row_01_a_prefix_with_dashes: Scenario::new().env("REDIS_PREFIX", "laravel-database-")
        .push(json!([{"job": "Succeed", "args": ["a"]}]))
        .work(&["--stop-when-empty"]);
    typed_private_and_protected_properties: Scenario::new()
        .push(json!([{"job": "SendWelcomeEmail", "args": [{"$model": "User", "id": 1}, "Hello"]}]))
        .work(&["--once"]).ignore_trace();
    row_11_12_delayed_jobs_run_when_due: Scenario::new()
        .push(json!([{"job": "Succeed", "args": ["due"], "delay": 20}, {"job": "Succeed", "args": ["later"], "delay": 90}]))
        .pass(20)
        .work(&["--stop-when-empty"]);
    row_13_25_27_37_back_off_by_attempt_until_it_succeeds: Scenario::new()
        .push(json!([{"job": "ThrowsThenSucceeds", "args": ["a", 3], "with": {"tries": 5, "backoff": [10, 50, 100]}}]))
        .work(&["--once"]).pass(10).work(&["--once"]).pass(50).work(&["--once"]).pass(100).work(&["--once"]);
    row_15_16_delayed_before_reserved_each_with_a_token: Scenario::new()
        .push(json!([{"job": "ReleasesItself", "args": ["r", 35, 1], "with": {"tries": 5}},
                     {"job": "Succeed", "args": ["d-%i"], "delay": 30, "count": 3}]))
        .work(&["--max-jobs=1"]).pass(40)
        .work(&["--max-jobs=1"]).ignore_trace();
    row_23_24_25_100_releases_keep_unknown_fields: Scenario::new()
        .push(json!([{"job": "ReleasesItself", "args": ["now", 0, 1], "payload": {"telescope_uuid": "x/y", "tags": ["a"]}},
                     {"job": "ReleasesItself", "args": ["later", 30, 1], "with": {"tries": 2}}]))
        .work(&["--once"]).work(&["--once"]).pass(30)
        .work(&["--stop-when-empty", "--tries=2"]).ignore_trace();
    row_26_65_an_exception_with_one_try_fails_at_once: Scenario::new()
        .push(json!([{"job": "ThrowsAlways", "args": ["a", "boom"]}]))
        .work(&["--stop-when-empty"]).compare_exceptions();
    row_27_28_38_tries_of_the_worker: Scenario::new()
        .push(json!([{"job": "ThrowsAlways", "args": ["a"]}]))
        .work(&["--once", "--tries=0", "--backoff=30"]).pass(30)
        .work(&["--once", "--tries=3", "--backoff=30"]).pass(30)
        .work(&["--once", "--tries=3", "--backoff=30"]);
    row_29_the_jobs_own_tries_win: Scenario::new()
        .push(json!([{"job": "ThrowsAlways", "args": ["a"], "with": {"tries": 2}}]))
        .work(&["--once", "--tries=1"]).work(&["--once", "--tries=1"]).work(&["--once", "--tries=1"]);
    row_30_an_attempt_too_many_fails_before_it_runs: Scenario::new()
        .push(json!([{"job": "Succeed", "args": ["a"], "payload": {"attempts": 1}}]))
        .work(&["--once", "--tries=1"]).compare_exceptions();
    row_31_32_33_retry_until_decides_alone: Scenario::new()
        .push(json!([{"job": "RetriesUntil", "args": ["future", 4000000000_i64], "with": {"backoff": 60}},
                     {"job": "RetriesUntil", "args": ["past", 1000], "with": {"backoff": 60}}]))
        .work(&["--max-jobs=2", "--tries=1"]).compare_exceptions().ignore_trace();
    row_40_back_off_of_the_worker_is_a_list_too: Scenario::new()
        .push(json!([{"job": "ThrowsAlways", "args": ["a"]}]))
        .work(&["--once", "--tries=9", "--backoff=20,40"]).pass(20)
        .work(&["--once", "--tries=9", "--backoff=20,40"]).pass(40)
        .work(&["--once", "--tries=9", "--backoff=20,40"]);
    row_44_45_a_timeout_of_its_own_or_none: Scenario::new()
        .push(json!([{"job": "Sleeps", "args": ["none", 1.3], "with": {"timeout": 0}},
                     {"job": "Sleeps", "args": ["five", 1.3], "with": {"timeout": 5}}]))
        .work(&["--max-jobs=2", "--timeout=1"]).ignore_trace();
    row_46_once_on_an_empty_queue: Scenario::new().push(json!([])).work(&["--once"]);
    row_47_once_with_a_failing_job: Scenario::new()
        .push(json!([{"job": "ThrowsAlways", "args": ["a"]}, {"job": "Succeed", "args": ["b"]}])).work(&["--once"]);
    row_49_exactly_max_jobs: Scenario::new()
        .push(json!([{"job": "Succeed", "args": ["s-%i"], "count": 5}])).work(&["--max-jobs=2"]).ignore_trace();
    row_52_the_first_queue_is_emptied_first: Scenario::new()
        .push(json!([{"job": "Succeed", "args": ["l-%i"], "queue": "low", "count": 3},
                     {"job": "Succeed", "args": ["h-%i"], "queue": "high", "count": 3}]))
        .work(&["--max-jobs=4", "--queue=high,low"]).ignore_trace();
    row_55_sigterm_lets_the_job_end: Scenario::new()
        .push(json!([{"job": "WaitsForGate", "args": ["g"]}]))
        .work_while(&[], |app, worker| {
            app.wait_for_trace("WaitsForGate g attempt 1 waits");
            worker.signal("TERM");
            app.open_gate("g");
        });
    row_67_fail_without_and_with_a_reason: Scenario::new()
        .push(json!([{"job": "FailsItself", "args": ["a"]}, {"job": "FailsItself", "args": ["b", "no more"]}]))
        .work(&["--stop-when-empty"]).compare_exceptions().ignore_trace();
    a_job_deletes_itself: Scenario::new()
        .push(json!([{"job": "DeletesItself", "args": ["a"]}])).work(&["--stop-when-empty"]);
    string_jobs: Scenario::new()
        .push(json!([{"job": "App\\Legacy@fire", "data": {"n": 1}}, {"job": "App\\Legacy@throws", "data": [1, 2]}]))
        .work(&["--stop-when-empty"]).compare_exceptions().ignore_trace();
    a_failed_job_is_retried_by_artisan: Scenario::new()
        .push(json!([{"job": "ThrowsThenSucceeds", "args": ["a", 0], "payload": {"attempts": 3}}]))
        .work(&["--once", "--tries=1"]).artisan(&["queue:retry", "all"]).work(&["--once", "--tries=1"]);
    other_queue_of_the_connection: Scenario::new().env("REDIS_QUEUE", "main")
        .push(json!([{"job": "Succeed", "args": ["a"]}, {"job": "OnOtherQueue", "args": ["b", "other"]}]))
        .work(&["--stop-when-empty"]).work(&["--stop-when-empty", "--queue=other"]);
}
