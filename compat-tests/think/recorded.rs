//! Recorded scenarios of the real think-queue, replayed: each recorded run of a worker is given to one of ours, from the
//! recorded state before it, with handlers that do what the recorded classes do, and must leave the same keys, the same
//! failed jobs and the same trace of user code.
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

/// Replays one run; what is not as recorded, in words.
async fn replay(
    version: &str,
    before: &Value,
    step: &Value,
    options: WorkerOptions,
    idle: bool,
) -> Option<Vec<String>> {
    let (start, mut expected) = (state(before, "queues:")?, state(step, "queues:")?);
    let dialect = of(version);
    let redis = Redis::start();
    let began = now();
    fill(&redis, &start, began - step["started_at"].as_f64()?);
    let (trace, rows) = (Trace::default(), Rows::default());
    let worker = Worker::on(speaking(&redis, dialect.clone())).options(options).failed_jobs(rows.clone());
    let keeps_rows = version.starts_with('3');
    let worker = with_classes(worker, &trace, keeps_rows);
    if !idle {
        tokio::time::timeout(Duration::from_secs(60), worker.drain()).await.expect("it ends").unwrap();
    }

    let mut unlike = Vec::new();
    let keys = dialect.keys("default");
    if step["user_trace"].as_array()?.iter().map(Value::as_str).ne(trace.lines().iter().map(|l| Some(&**l))) {
        unlike.push(format!("user code did {:?}, not {}", trace.lines(), step["user_trace"]));
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
    let ours: Vec<_> = rows
        .all()
        .iter()
        .map(|row| (row.connection.clone(), row.queue.clone(), row.payload.clone(), row.exception.clone()))
        .collect();
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

/// Every recorded run by its name, with what was not as recorded.
async fn every_run(idle: bool) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for version in ["1.1.6", "2.0.4", "3.0.9"] {
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
                let unlike = replay(version, &pair[0], &pair[1], options, idle).await;
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
    let found: Vec<_> = every_run(false).await.into_iter().filter(|(_, unlike)| !unlike.is_empty()).collect();
    assert!(found.is_empty(), "not as recorded: {found:#?}");
}

#[tokio::test]
async fn a_worker_that_does_nothing_is_noticed_in_every_recorded_run() {
    let unnoticed: Vec<_> =
        every_run(true).await.into_iter().filter(|(_, unlike)| unlike.is_empty()).collect();
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
}
