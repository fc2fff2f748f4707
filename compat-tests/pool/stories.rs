//! What only Laravel itself can do with a job, done in a child of the pool: chains, batches, locks, limits, listeners,
//! mails, closures, `failed()`. Each story is worked by the real `queue:work` and by the pool, and must end the same.
//! Cache and locks are in Redis, so that they are compared, too.

use serde_json::json;

use crate::support::differential::{Scenario, php, pooled};
use crate::support::snapshot::shift;

fn story() -> Scenario {
    let scenario = Scenario::new().env("CACHE_DRIVER", "redis");
    scenario.env("APP_PROVIDERS", "App\\\\Providers\\\\FixtureServiceProvider").compare_exceptions()
}

const ALL: &[&str] = &["--stop-when-empty"];
const ONCE: &[&str] = &["--once"];

macro_rules! stories {
    ($($name:ident: $story:expr;)*) => {
        mod by_the_pool {$(
            #[test]
            fn $name() {
                use super::*;
                $story.assert_drop_in(&pooled);
            }
        )*}
        /// A story that PHP itself does not end twice the same proves nothing.
        mod by_php_twice {$(
            #[test]
            fn $name() {
                use super::*;
                let found = $story.differences(&php, &php);
                assert!(found.is_empty(), "{}", found.join("\n"));
            }
        )*}
    };
}

stories! {
    a_chain_of_three: story().story("chainOfThree").work(ALL).work(&["--stop-when-empty", "--queue=other"]).work(ALL);
    a_chain_whose_second_fails_is_caught: story().story("chainThatFails").work(ALL);
    a_chain_with_a_closure_and_a_release: story().story("chainWithAClosure").work(ALL).pass(30).work(ALL);
    a_batch_that_succeeds: story().story("batchThatSucceeds").work(ONCE).work(ALL);
    a_batch_that_fails_is_cancelled: story().story("batchThatFails").work(ALL);
    a_batch_that_allows_failures: story().story("batchThatAllowsFailures").work(ALL);
    unique_jobs_and_their_locks: story().story("uniqueJobs").work(ONCE).work(ALL);
    a_unique_job_that_is_retried_keeps_its_lock: story().story("uniqueThatThrows").work(ONCE).pass(30).work(ONCE);
    without_overlapping: story().story("overlapping").work(ALL).pass(15).work(ALL);
    a_rate_limit: story()
        .push(json!([{"job": "Guarded", "args": ["r", "rate"], "count": 2, "with": {"tries": 9}}])).work(ALL);
    throttled_exceptions: story()
        .push(json!([{"job": "Guarded", "args": ["t", "throttle", true], "count": 3, "with": {"tries": 9}}])).work(ALL);
    encrypted: story().push(json!([{"job": "Encrypted", "args": ["e", "s3cret"]}])).work(ALL);
    queued_listeners: story().story("shipped").work(ALL).work(&["--stop-when-empty", "--queue=listeners"]);
    mails: story().story("mail").work(ALL).pass(60).work(&["--stop-when-empty", "--queue=mails,default"]);
    notifications: story().story("notification").work(ALL);
    closures: story().story("closures").work(ALL);
    missing_models: story().story("missingModels").work(ALL);
    a_missing_class: story().push(json!([{"job": "Succeed", "payload": {"displayName": "App\\Jobs\\Gone",
            "data": {"commandName": "App\\Jobs\\Gone", "command": "O:13:\"App\\Jobs\\Gone\":0:{}"}}},
        {"job": "App\\Gone@fire"}])).work(ALL);
    max_exceptions: story()
        .push(json!([{"job": "ThrowsAlways", "args": ["m"], "with": {"tries": 5, "maxExceptions": 2}}]))
        .work(ONCE).work(ONCE);
    it_deletes_itself_and_then_throws: story()
        .push(json!([{"job": "Settles", "args": ["d", ["delete", "throw"]], "with": {"tries": 3}}])).work(ALL);
    it_releases_itself_and_then_throws: story()
        .push(json!([{"job": "Settles", "args": ["r", ["release:30", "throw"]], "with": {"tries": 3}}])).work(ALL);
    it_fails_itself_and_then_throws: story()
        .push(json!([{"job": "Settles", "args": ["f", ["fail:enough", "throw"]], "with": {"tries": 3}}])).work(ALL);
    it_deletes_or_releases_itself_and_then_releases_itself: story()
        .push(json!([{"job": "Settles", "args": ["d", ["delete", "release:30"]], "with": {"tries": 3}},
                     {"job": "Settles", "args": ["r", ["release:30", "release:50"]], "with": {"tries": 3}}])).work(ALL);
    it_releases_itself_by_interval_and_by_date: story()
        .push(json!([{"job": "Settles", "args": ["i", ["release-interval:40"]], "with": {"tries": 3}},
                     {"job": "Settles", "args": ["d", ["release-date:50"]], "with": {"tries": 3}}])).work(ALL);
    what_it_prints_disturbs_nothing: story()
        .push(json!([{"job": "Settles", "args": ["s", ["say"]]}, {"job": "Settles", "args": ["t", ["say", "throw"]]}]))
        .work(ALL);
    it_dispatches_others: story().push(json!([{"job": "Dispatches", "args": ["d"]}]))
        .work(ONCE).work(ALL).work(&["--stop-when-empty", "--queue=other"]).pass(60).work(ALL);
    five_megabytes: story().story("bigPayload").work(ALL).ignore_trace();
    events: story().env("TRACE_EVENTS", "1")
        .push(json!([{"job": "Succeed", "args": ["a"]}, {"job": "ThrowsAlways", "args": ["t"], "with": {"tries": 2, "backoff": 5}},
                     {"job": "Settles", "args": ["r", ["release:30"]], "with": {"tries": 3}}, {"job": "FailsItself", "args": ["f"]}]))
        .work(&["--max-jobs=4"]);
    several_queues: story()
        .push(json!([{"job": "Succeed", "args": ["l-%i"], "queue": "low", "count": 3}, {"job": "Succeed", "args": ["h-%i"], "queue": "high", "count": 3}]))
        .work(&["--max-jobs=4", "--queue=high,low"]);
    once_knows_no_timeout: story()
        .push(json!([{"job": "Sleeps", "args": ["s", 1.3], "with": {"timeout": 1}}])).work(ONCE);
    a_timeout_on_the_last_try_is_recorded: story().any_exit()
        .push(json!([{"job": "Sleeps", "args": ["s", 30], "with": {"timeout": 1, "tries": 1}}])).work(&["--max-jobs=1"]);
    a_timeout_that_is_final: story().any_exit()
        .push(json!([{"job": "Sleeps", "args": ["s", 30], "with": {"timeout": 1, "tries": 3, "failOnTimeout": true}}]))
        .work(&["--max-jobs=1"]);
    a_string_job_that_releases_itself: story()
        .push(json!([{"job": "App\\Legacy@again", "data": 1}])).work(&["--stop-when-empty", "--tries=2"]);
    string_jobs_that_settle_or_do_not: story()
        .push(json!([{"job": "App\\Legacy@fire", "data": {"n": 1}}, {"job": "App\\Legacy@throws"}, {"job": "App\\Legacy@forgets"}]))
        .work(&["--stop-when-empty", "--tries=2"]);
}

/// The one end that is meant to differ: PHP's worker dies and the job stays reserved; a child dies and the job is put
/// aside for as long.
#[test]
fn a_timeout_that_may_run_again_comes_back_when_the_reservation_would_have_ended() {
    use crate::support::laravel::App;
    use crate::support::process::Running;
    use crate::support::redis::Redis;
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "Sleeps", "args": ["s", 30], "with": {"timeout": 1, "tries": 2}}]));
    let end = Running::start(pooled(&app, &["--max-jobs=1"])).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_eq!(app.failed_rows().len(), 0);
    assert_eq!(redis.query::<usize>(&["ZCARD", &app.key("queues:default:delayed")]), 1);
    shift(&redis, 91);
    let end = Running::start(pooled(&app, &["--max-jobs=1"])).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_eq!(app.trace()[..2], ["Sleeps s attempt 1 starts", "Sleeps s attempt 2 starts"]);
    assert_eq!(app.failed_rows().len(), 1);
}
