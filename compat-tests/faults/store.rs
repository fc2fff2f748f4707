//! The failed-jobs table cannot be written while jobs fail: no job runs again, none is lost, and each gets its own row
//! once the table is back. The table is the application's SQLite. Never a Redis in trouble.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;

use super::{length, stop, told};
use crate::support::differential::{handover, php};
use crate::support::fixtures;
use crate::support::laravel::App;
use crate::support::process::{Running, wait_until};
use crate::support::redis::Redis;
use crate::support::snapshot::shift;

const DATABASE: &str = "database/database.sqlite";
const DOWN: &str = "the failed job could not be recorded";

/// Jobs that throw, each something else, and may run once.
fn push(app: &App, count: usize) {
    app.push(
        &json!([{"job": "ThrowsAlways", "args": ["t-%i", "boom %i."], "count": count, "with": {"tries": 1}}]),
    );
}

fn start(app: &App, flags: &[&str]) -> Running {
    let mut command = handover(app, &[&["--concurrency=51"], flags].concat());
    command.env("RUST_LOG", "debug");
    Running::start(command)
}

/// A worker that has begun to work, for it wants to see the table once.
fn started(app: &App, flags: &[&str]) -> Running {
    let worker = start(app, flags);
    wait_until("it works", || told(&worker, "the poll timer fired") > 0);
    worker
}

/// Jobs whose row could not be written, so far.
fn unrecorded(worker: &Running) -> usize {
    let log = worker.stderr();
    let lines = log.lines().filter(|line| line.contains(DOWN));
    let uuids: BTreeSet<&str> = lines.filter_map(|line| line.split("uuid=").nth(1)).collect();
    uuids.len()
}

fn reserved(redis: &Redis, app: &App) -> usize {
    length(redis, "ZCARD", &app.key("queues:default:reserved"))
}

/// Each job has one row, with what it threw itself, and ran once.
fn each_has_its_row(app: &App, count: usize) {
    let rows = app.failed_rows();
    assert_eq!(rows.len(), count);
    let trace = app.trace();
    for n in 0..count {
        let exception = format!("RuntimeException: boom {n}. in ");
        let own: Vec<_> =
            rows.iter().filter(|row| row["exception"].as_str().unwrap().starts_with(&exception)).collect();
        assert_eq!(own.len(), 1, "{exception}");
        assert!(own[0]["payload"].as_str().unwrap().contains(&format!("\\\"t-{n}\\\"")), "{}", own[0]);
        let runs =
            trace.iter().filter(|line| line.starts_with(&format!("ThrowsAlways t-{n} attempt "))).count();
        assert_eq!(runs, 1, "t-{n}: {trace:?}");
    }
}

#[test]
fn fifty_jobs_fail_while_another_holds_the_database() {
    let redis = Redis::start();
    let mut app = App::new(&redis);
    app.set_env("REDIS_QUEUE_RETRY_AFTER", "2");
    let mut hold = app.command("php");
    hold.arg(fixtures().join("hold-sqlite.php")).arg(DATABASE).arg("storage/let-go");
    let holder = Running::start(hold);
    wait_until("the database is held", || holder.stdout() == "held\n");
    push(&app, 50);
    let worker = start(&app, &[]);
    wait_until("fifty have run", || app.trace().len() == 50);
    // It would run whatever nobody renews.
    let other = Running::start(php(&app, &[]));
    wait_until("fifty are renewed five times", || {
        let log = worker.stderr();
        let renewals = log.lines().filter(|line| line.contains("reservations renewed"));
        renewals.filter(|line| line.contains("jobs=50")).count() >= 5
    });
    wait_until("it is told that the table cannot be written", || told(&worker, DOWN) > 0);
    assert_eq!(reserved(&redis, &app), 50);
    app.push(&json!([{"job": "Succeed", "args": ["meanwhile"]}]));
    app.wait_for_trace("Succeed meanwhile attempt 1");
    app.set_file("storage/let-go", "");
    wait_until("all are settled", || reserved(&redis, &app) == 0);
    let log = stop(worker);
    stop(other);
    assert!(!log.contains("the reservation was lost"), "{log}");
    each_has_its_row(&app, 50);
}

#[test]
fn fifty_jobs_fail_while_the_database_is_away() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let worker = started(&app, &[]);
    let (here, away) = (app.path(DATABASE), app.path("database/away"));
    fs::rename(&here, &away).unwrap();
    push(&app, 50);
    wait_until("fifty are told", || unrecorded(&worker) == 50);
    assert_eq!(reserved(&redis, &app), 50);
    assert!(!here.exists(), "nobody makes a new one");
    fs::rename(&away, &here).unwrap();
    wait_until("all are settled", || reserved(&redis, &app) == 0);
    stop(worker);
    each_has_its_row(&app, 50);
}

/// No journal can be written beside the database, as in a directory that is not ours to write; an open connection
/// is not spared.
fn block(app: &App) {
    fs::create_dir(app.path("database/database.sqlite-journal")).unwrap();
}

fn unblock(app: &App) {
    fs::remove_dir(app.path("database/database.sqlite-journal")).unwrap();
}

#[test]
fn fifty_jobs_fail_where_no_journal_can_be_written() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let worker = started(&app, &[]);
    app.push(&json!([{"job": "ThrowsAlways", "args": ["first", "before."]}]));
    wait_until("the first has failed", || app.failed_rows().len() == 1);
    block(&app);
    push(&app, 50);
    wait_until("fifty are told", || unrecorded(&worker) == 50);
    assert_eq!(reserved(&redis, &app), 50);
    unblock(&app);
    wait_until("all are settled", || reserved(&redis, &app) == 0);
    stop(worker);
    app.sql_each(&["DELETE FROM failed_jobs WHERE exception LIKE '%before.%'".to_owned()]);
    each_has_its_row(&app, 50);
}

#[test]
fn a_worker_that_is_told_to_stop_waits_until_failures_are_recorded() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let worker = started(&app, &[]);
    block(&app);
    push(&app, 5);
    wait_until("five are told", || unrecorded(&worker) == 5);
    worker.signal("TERM");
    wait_until("it takes no more", || told(&worker, "taking no more jobs, waiting for 5 that run") == 1);
    unblock(&app);
    let end = worker.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    each_has_its_row(&app, 5);
    assert_eq!(reserved(&redis, &app), 0);
}

#[test]
fn a_worker_that_may_not_wait_leaves_unrecorded_failures_reserved() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let worker = started(&app, &["--grace=1"]);
    block(&app);
    push(&app, 5);
    wait_until("five are told", || unrecorded(&worker) == 5);
    let log = stop(worker);
    unblock(&app);
    assert_eq!(reserved(&redis, &app), 5, "{log}");
    assert_eq!(app.failed_rows().len(), 0);
    shift(&redis, 100);
    let end = start(&app, &["--stop-when-empty"]).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let rows = app.failed_rows();
    assert_eq!(rows.len(), 5);
    assert_eq!(reserved(&redis, &app), 0);
}
