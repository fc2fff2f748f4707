//! What may come between a job of a ThinkPHP application and its end: signals, restarts, memory, a lease that is lost, a
//! parent that is gone, listeners that let nobody else hear. No job is lost and none is failed twice.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};

use handover::{Exception, Outcome, Worker, WorkerOptions};

use super::*;
use crate::conformance::speaking;
use crate::support::process::command;
use crate::think::of;

#[test]
fn a_signal_lets_the_job_end_and_takes_no_other() {
    let redis = Redis::start();
    let app = App::new(&redis);
    push(&redis, &[job("j", &["wait", "delete"])]);
    let worker = start(&app, &[]);
    app.wait_for_trace("Deeds j attempt 1");
    push(&redis, &[job("left", &["delete"])]);
    worker.signal_group("TERM");
    wait_for_log(&worker, "taking no more jobs, waiting for 1 that run");
    app.touch("gate");
    let end = worker.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_eq!(app.trace(), ["Deeds j attempt 1"]);
    assert_eq!(redis.query::<i64>(&["LLEN", READY]), 1);
    assert!(members(&redis, "{queues:default}:reserved").is_empty());
}

#[test]
fn row_30_a_restart_signal_replaces_the_children_one_by_one() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let worker = start(&app, &[]);
    wait_for_log(&worker, "a PHP child is ready");
    let old = readied(&worker.stderr())[0].0;
    // A second reading of the signal is what tells that it has changed.
    push(&redis, &[job("first", &["delete"])]);
    app.wait_for_trace("Deeds first attempt 1");
    let said = app.think(&["queue:restart"]);
    assert!(said.stdout.contains("Broadcasting queue restart signal."), "{}{}", said.stdout, said.stderr);
    wait_until("another child, and the end of the first", || {
        let log = worker.stderr();
        readied(&log).iter().any(|(pid, _)| *pid != old) && ended(&log).iter().any(|(pid, _)| *pid == old)
    });
    push(&redis, &[job("second", &["delete"])]);
    app.wait_for_trace("Deeds second attempt 1");
    wait_until("the job to be gone", || is_empty(&redis));
    worker.signal("TERM");
    let end = worker.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert!(end.stderr.contains("exited with code 0"), "{}", end.stderr);
}

#[test]
fn row_31_a_child_over_its_memory_leaves_after_its_job_and_another_goes_on() {
    let redis = Redis::start();
    let app = App::new(&redis);
    push(&redis, &[job("j", &["delete"]), job("k", &["delete"])]);
    // As little as this: more than any PHP takes to boot, so each child does one job.
    let options = ["--memory=1", "--timeout=60"].map(str::to_owned);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ends = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = ends.clone();
    let queue = speaking(&redis, of("3.0.9"));
    let worker =
        Worker::on(queue).pool(app.pool(&options)).failed_jobs_by_the_app("its own").on_event(move |event| {
            if let handover::events::Event::PhpEnded { how, .. } = event {
                told.lock().unwrap().push(how.clone());
            }
        });
    runtime.block_on(worker.drain()).unwrap();
    assert_eq!(app.trace(), ["Deeds j attempt 1", "Deeds k attempt 1"]);
    assert!(is_empty(&redis));
    assert_eq!(ends.lock().unwrap()[..1], ["exited with code 12"]);
}

#[test]
fn what_a_job_prints_is_told_with_its_id_and_disturbs_nothing() {
    let redis = Redis::start();
    let app = App::new(&redis);
    push(&redis, &[job("j", &["say:hello", "wait", "delete"]), job("k", &["delete"])]);
    let worker = start(&app, &["--max-jobs=2"]);
    wait_for_log(&worker, "php: hello pid");
    wait_for_log(&worker, "php: hello to stderr");
    app.touch("gate");
    let end = worker.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    for said in ["hello", "hello to stderr"] {
        let told = end.stderr.lines().find(|line| line.contains(&format!("php: {said} ")));
        assert!(told.is_some_and(|line| line.contains("id=\"j\"")), "{said}: {}", end.stderr);
    }
    // Its own lines are left out: the parent's say the same, once.
    assert!(!end.stderr.contains("php: ["), "{}", end.stderr);
    assert_eq!(end.stdout.matches("Processing: Deeds").count(), 2, "{}", end.stdout);
    assert!(is_empty(&redis));
}

#[test]
fn listeners_of_the_app_hear_their_worker_and_hide_nothing_from_the_parent() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.touch("events");
    app.touch("deaf");
    push(&redis, &[job("j", &["delete"]), job("k", &["boom"])]);
    let end = start(&app, &["--max-jobs=2", "--tries=1"]).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let trace = [
        "JobProcessing j",
        "Deeds j attempt 1",
        "JobProcessed j",
        "JobProcessing k",
        "Deeds k attempt 1",
        "failed() RuntimeException",
        "JobExceptionOccurred k",
        "WorkerStopping 0",
    ];
    assert_eq!(app.trace(), trace);
    assert!(end.stdout.contains("[k] Failed:     Deeds"), "{}", end.stdout);
    assert_eq!(app.failed_rows().len(), 1);
}

#[test]
fn a_job_that_has_become_another_workers_is_not_failed() {
    let redis = Redis::start();
    let app = App::new(&redis);
    push(&redis, &[job("j", &["wait", "boom"])]);
    let worker = start(&app, &["--tries=1", "--max-jobs=1"]);
    app.wait_for_trace("Deeds j attempt 1");
    let _: i64 = redis.query(&["DEL", "{queues:default}:reserved"]);
    app.touch("gate");
    let end = worker.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_eq!(app.trace(), ["Deeds j attempt 1"]);
    assert_eq!(app.failed_rows().len(), 0);
    assert!(is_empty(&redis));
}

#[test]
fn queues_are_worked_in_their_order_and_named_to_the_job() {
    let redis = Redis::start();
    let app = App::new(&redis);
    for (queue, job) in [("low", job("l", &["delete"])), ("high", job("h", &["boom"]))] {
        let _: i64 = redis.query(&["RPUSH", &format!("{{queues:{queue}}}"), &job.payload(0)]);
    }
    let end = start(&app, &["--queue=high,low", "--tries=1", "--max-jobs=2"]).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_eq!(app.trace(), ["Deeds h attempt 1", "failed() RuntimeException", "Deeds l attempt 1"]);
    assert_eq!(app.failed_rows()[0]["queue"], "high");
    assert_eq!(redis.query::<Vec<String>>(&["KEYS", "*"]), Vec::<String>::new());
}

#[tokio::test]
async fn a_job_that_fails_in_rust_is_recorded_by_the_app() {
    let redis = Redis::start();
    let app = App::new(&redis);
    push(&redis, &[job("j", &["delete"]).attempts(3)]);
    let dialect = of("3.0.9");
    let worker = Worker::on(speaking(&redis, dialect))
        .options(WorkerOptions { tries: 9, ..WorkerOptions::default() })
        .pool(app.pool(&["--tries=9".to_owned()]))
        .failed_jobs_by_the_app("its own")
        .handle("app\\job\\Deeds", |_: Value, _| async {
            Outcome::Failed(Exception::msg("no such address"))
        });
    worker.drain().await.unwrap();
    assert_eq!(app.trace(), ["failed() Handover\\JobCrashed"]);
    let rows = app.failed_rows();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["exception"], "Handover\\JobCrashed: no such address");
    assert_eq!(rows[0]["payload"], job("j", &["delete"]).payload(3));
    assert!(is_empty(&redis));
}

#[test]
fn without_a_parent_a_job_settles_itself() {
    for (deed, left) in [("delete", 0), ("release:30", 1)] {
        let redis = Redis::start();
        let app = App::new(&redis);
        let reserved = job("j", &["wait", deed]).payload(1);
        let _: i64 = redis.query(&["ZADD", "{queues:default}:reserved", "9999999999", &reserved]);
        let socket = app.path("parent.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        std::fs::write(app.path("runner.php"), super::versions::runner()).unwrap();
        let mut php = command("php");
        php.arg(app.path("runner.php")).arg(&socket).args(["queue:work", "redis"]).current_dir(app.path("."));
        let child = Running::start(php);
        let (mut parent, _) = listener.accept().unwrap();
        hear(&mut parent, "ask");
        let raw = job("j", &["wait", deed]).payload(0);
        let head = json!({"say": "job", "token": 1, "queue": "default", "raw": raw.len()}).to_string();
        let body = [raw.as_bytes(), reserved.as_bytes()].concat();
        let lengths = [head.len(), body.len()].map(|length| (length as u32).to_be_bytes());
        parent.write_all(&[&lengths.concat(), head.as_bytes(), &body].concat()).unwrap();
        app.wait_for_trace("Deeds j attempt 1");
        // Not only dropped: a process that another test forks just now has the socket, too, for a moment.
        parent.shutdown(std::net::Shutdown::Both).unwrap();
        app.touch("gate");
        let end = child.finish();
        assert_eq!(end.code, 0, "{}{}", end.stdout, end.stderr);
        assert!(members(&redis, "{queues:default}:reserved").is_empty(), "{deed}");
        let delayed = members(&redis, "{queues:default}:delayed");
        assert_eq!(delayed.len(), left, "{deed}");
        assert!(delayed.keys().all(|member| *member == reserved), "{delayed:?}");
    }
}

/// Reads what a child says until it says this.
fn hear(parent: &mut UnixStream, said: &str) {
    loop {
        let mut lengths = [0; 8];
        parent.read_exact(&mut lengths).unwrap();
        let mut head = vec![0; u32::from_be_bytes([lengths[0], lengths[1], lengths[2], lengths[3]]) as usize];
        parent.read_exact(&mut head).unwrap();
        if serde_json::from_slice::<Value>(&head).unwrap()["say"] == said {
            return;
        }
    }
}
