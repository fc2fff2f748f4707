//! Recorded scenarios of the real think-queue, replayed: each recorded run of a worker is given to one of ours, from the
//! recorded state before it, with handlers that do what the recorded classes do, and must leave the same keys, the same
//! failed jobs and the same trace of user code. Version 3 is replayed by the PHP pool as well.
//!
//! The recordings are not part of this repository: `GOLDEN_DIR`, else `shared/golden` beside it; where they are not, this
//! says so and passes. Two differences are meant: where a killed worker ended with 137, ours goes on; and what stock loses
//! stands in quarantine. A run with a list that was cut is not replayed.

use std::time::Duration;

use handover::{Worker, WorkerOptions};
use serde_json::Value;

use super::classes::{Trace, with_classes};
use super::of;
use crate::conformance::speaking;
use crate::faults::rows::Rows;
use crate::support::recording::{State, fill, folder, look, state};
use crate::support::redis::Redis;
use crate::support::snapshot::now;
use crate::support::think::App;

/// What the recorded run was told, as options of ours; `None` where it is no run of a worker.
fn options(step: &Value) -> Option<WorkerOptions> {
    let action = step["action"].as_str()?;
    let number = |name: &str| {
        let after = action.split_once(name)?.1.trim_start_matches('=');
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        after[..digits].parse::<i64>().ok()
    };
    let (tries, delay) = match action {
        _ if action.starts_with("Worker::pop(") => (number("maxTries"), number("delay")),
        _ if action.starts_with("queue:work redis") => (number("--tries"), number("--delay")),
        _ => return None,
    };
    Some(WorkerOptions {
        tries: tries.unwrap_or(0),
        backoff: delay.unwrap_or(0).to_string(),
        timeout: number("--timeout").unwrap_or(60),
        once: !action.contains("--timeout"),
        sleep: Duration::from_millis(10),
        retry_after: 60,
        ..WorkerOptions::default()
    })
}

/// Who does what the recorded classes do.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Handlers,
    Pool,
    Nobody,
}

/// A row of failed jobs: connection, queue, payload and exception.
type Row = (String, String, bytes::Bytes, String);

/// Works all that there is; answers what user code traced and which jobs failed.
async fn work(by: By, redis: &Redis, version: &str, options: WorkerOptions) -> (Vec<String>, Vec<Row>) {
    let (trace, rows) = (Trace::default(), Rows::default());
    let worker = Worker::on(speaking(redis, of(version)));
    let drain = async |worker: Worker| {
        tokio::time::timeout(Duration::from_secs(60), worker.drain()).await.expect("it ends").unwrap();
    };
    match by {
        By::Nobody => {}
        By::Handlers => {
            let worker = worker.options(options).failed_jobs(rows.clone());
            drain(with_classes(worker, &trace, version.starts_with('3'))).await;
        }
        By::Pool => {
            let app = App::new(redis);
            let WorkerOptions { tries, backoff, timeout, once, .. } = &options;
            let mut arguments = vec![
                format!("--tries={tries}"),
                format!("--delay={backoff}"),
                format!("--timeout={timeout}"),
            ];
            arguments.extend(once.then(|| "--once".to_owned()));
            let pool = app.pool(&arguments);
            drain(worker.options(options).pool(pool).failed_jobs_by_the_app("its own")).await;
            let text = |row: &Value, field: &str| row[field].as_str().expect("a text").to_owned();
            let row = |row: &Value| {
                let payload = text(row, "payload").into();
                (text(row, "connection"), text(row, "queue"), payload, text(row, "exception"))
            };
            return (app.trace(), app.failed_rows().iter().map(row).collect());
        }
    }
    let rows = rows.all().clone().into_iter();
    let rows = rows.map(|row| (row.connection, row.queue, row.payload, row.exception)).collect();
    (trace.lines(), rows)
}

/// Replays one run; what is not as recorded, in words.
async fn replay(
    version: &str,
    before: &Value,
    step: &Value,
    options: WorkerOptions,
    by: By,
) -> Option<Vec<String>> {
    let (start, mut expected) = (state(before, "queues:")?, state(step, "queues:")?);
    let dialect = of(version);
    let redis = Redis::start();
    let began = now();
    fill(&redis, &start, began - step["started_at"].as_f64()?);
    let keeps_rows = version.starts_with('3');
    let (trace, ours) = work(by, &redis, version, options).await;

    let mut unlike = Vec::new();
    let keys = dialect.keys("default");
    if step["user_trace"].as_array()?.iter().map(Value::as_str).ne(trace.iter().map(|l| Some(&**l))) {
        unlike.push(format!("user code did {trace:?}, not {}", step["user_trace"]));
    }
    let found = look(&redis, [keys.ready.clone(), keys.delayed, keys.reserved, keys.quarantine.clone()]);
    // What stock loses stands in quarantine, and there ours goes on to the next.
    let lost = |member: &[u8]| !String::from_utf8_lossy(member).contains("\"attempts\"");
    let aside: Vec<_> =
        start.get(&keys.ready).into_iter().flatten().filter(|(m, _)| lost(m)).cloned().collect();
    if !aside.is_empty() {
        expected.clear();
        expected.insert(keys.quarantine, aside);
    }
    let plain = |state: &State| -> Vec<(String, Vec<Vec<u8>>)> {
        let members = |members: &Vec<(Vec<u8>, _)>| members.iter().map(|(m, _)| m.clone()).collect();
        state.iter().map(|(key, of)| (key.clone(), members(of))).collect()
    };
    if plain(&found) != plain(&expected) {
        let shown = |state: &State| -> Vec<String> {
            let line = |(key, members): (String, Vec<Vec<u8>>)| {
                format!(
                    "{key}: {}",
                    members.iter().map(|m| String::from_utf8_lossy(m)).collect::<Vec<_>>().join(" ")
                )
            };
            plain(state).into_iter().map(line).collect()
        };
        unlike.push(format!("left {:#?}, not {:#?}", shown(&found), shown(&expected)));
    }
    let later = now() - step["ended_at"].as_f64()?;
    let scores = |state: &State| -> Vec<f64> { state.values().flatten().filter_map(|(_, at)| *at).collect() };
    for (ours, theirs) in scores(&found).into_iter().zip(scores(&expected)) {
        if (ours - theirs - later).abs() > 3.0 && ours != theirs {
            unlike.push(format!("score {ours}, not {}", theirs + later));
        }
    }
    let earlier = before["sql"]["failed_jobs"].as_array().map_or(0, Vec::len);
    let failed: Vec<&Value> =
        step["sql"]["failed_jobs"].as_array().into_iter().flatten().skip(earlier).collect();
    if keeps_rows && ours.len() != failed.len() {
        unlike.push(format!("{} failed jobs, not {}", ours.len(), failed.len()));
    }
    for ((connection, queue, payload, exception), theirs) in ours.iter().zip(&failed) {
        let head = |text: &str| {
            text.split(" in /")
                .next()
                .unwrap_or_default()
                .split(" in src")
                .next()
                .unwrap_or_default()
                .split(" in compat-tests")
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        let same = theirs["connection"] == **connection
            && theirs["queue"] == **queue
            && theirs["payload"].as_str().map(str::as_bytes) == Some(payload)
            && theirs["exception"].as_str().map(head) == Some(head(exception));
        if !same {
            unlike.push(format!("row {connection} {queue} {payload:?} {exception}, not {theirs}"));
        }
    }
    Some(unlike)
}

const VERSIONS: [&str; 3] = ["1.1.6", "2.0.4", "3.0.9"];

/// Every recorded run by its name, with what was not as recorded.
async fn every_run(by: By, versions: &[&str]) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for version in versions {
        let path = folder().join(format!("scenarios-think-queue-{version}.json"));
        let Ok(text) = std::fs::read_to_string(&path) else {
            println!("skipped: no {}", path.display());
            continue;
        };
        let recording: Value = serde_json::from_str(&text).unwrap();
        for scenario in recording["scenarios"].as_array().unwrap() {
            for pair in scenario["steps"].as_array().unwrap().windows(2) {
                let Some(options) = options(&pair[1]) else { continue };
                let name = format!("{version} {} {}", scenario["name"], pair[1]["action"]);
                let unlike = replay(version, &pair[0], &pair[1], options, by).await;
                match unlike {
                    None => println!("not wholly recorded: {name}"),
                    Some(unlike) => found.push((name, unlike)),
                }
            }
        }
    }
    println!("{} runs replayed", found.len());
    found
}

#[tokio::test]
async fn recorded_scenarios_of_think_queue() {
    as_recorded(every_run(By::Handlers, &VERSIONS).await);
}

#[tokio::test]
async fn recorded_scenarios_of_think_queue_3_by_the_pool() {
    as_recorded(every_run(By::Pool, &["3.0.9"]).await);
}

#[track_caller]
fn as_recorded(found: Vec<(String, Vec<String>)>) {
    let found: Vec<_> = found.into_iter().filter(|(_, unlike)| !unlike.is_empty()).collect();
    assert!(found.is_empty(), "not as recorded: {found:#?}");
}

#[tokio::test]
async fn a_worker_that_does_nothing_is_noticed_in_every_recorded_run() {
    let unnoticed: Vec<_> =
        every_run(By::Nobody, &VERSIONS).await.into_iter().filter(|(_, unlike)| unlike.is_empty()).collect();
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
}
