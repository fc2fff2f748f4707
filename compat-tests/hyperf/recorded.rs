//! Recorded scenarios of the real async-queue, replayed: each recorded run of a consumer, and each single pop, is given to
//! ours, from the recorded state before it, with handlers that do what the recorded classes do, and must leave the same
//! keys and the same trace of user code.
//!
//! The recordings are not part of this repository: `GOLDEN_DIR`, else `shared/golden` beside it; where they are not, this
//! says so and passes. Three differences are meant, and told apart by what they leave: what stock drops as no message
//! stands in quarantine; a job that asks for another attempt after its last is among the failed; and one that is to go
//! back goes back. Steps of operators and producers are not replayed.

use std::time::Duration;

use handover::queue::{Exchange, Queue, Reservation, Token};
use handover::{Worker, WorkerOptions};
use serde_json::Value;

use super::classes::{same_trace, with_classes};
use super::of;
use crate::conformance::speaking;
use crate::support::recording::{State, fill, folder, look, state};
use crate::support::redis::Redis;
use crate::support::snapshot::now;
use crate::think::classes::Trace;

const CHANNEL: &str = "{queue}";
/// The recorded `retry_seconds`, where a step does not say otherwise.
const RETRY_SECONDS: &str = "5";

/// What a step does.
enum Action {
    /// A consumer, with these `retry_seconds`, until nothing waits.
    Consume(String),
    Pop,
    /// An operator's or producer's.
    Other,
}

fn action(step: &Value) -> Action {
    let action = step["action"].as_str().expect("an action");
    if action == "pop()" {
        return Action::Pop;
    }
    let Some(told) = action.strip_prefix("real consumer ") else { return Action::Other };
    let config = told.find('{').map(|at| serde_json::from_str::<Value>(&told[at..]).expect("JSON"));
    let list = config.as_ref().and_then(|config| config["retry_seconds"].as_array());
    let seconds = list.map(|list| list.iter().map(Value::to_string).collect::<Vec<_>>().join(","));
    Action::Consume(seconds.unwrap_or_else(|| RETRY_SECONDS.to_owned()))
}

/// What stands in each list and set.
fn plain(state: &State) -> Vec<(String, Vec<Vec<u8>>)> {
    let members = |members: &Vec<(Vec<u8>, _)>| members.iter().map(|(member, _)| member.clone()).collect();
    state.iter().map(|(key, of)| (key.clone(), members(of))).collect()
}

/// What is not as recorded, in words; a worker that is idle does nothing.
async fn replay(
    version: &str,
    scenario: &str,
    before: &Value,
    step: &Value,
    action: Action,
    idle: bool,
) -> Vec<String> {
    let (start, mut expected) = (state(before, CHANNEL).unwrap(), state(step, CHANNEL).unwrap());
    let redis = Redis::start();
    fill(&redis, &start, now() - step["started_at"].as_f64().unwrap());
    let queue = speaking(&redis, of(version));
    let trace = Trace::default();
    match action {
        _ if idle => {}
        Action::Pop => {
            let at = now() as i64;
            // Before its first answer Redis' clock is unknown, and the call is made again.
            let ask = Exchange { want: 1, token: Token::new(7), now: at, lease: 10, ..Exchange::default() };
            let taken = queue.exchange(CHANNEL, ask).await.unwrap().reserved;
            taken.into_iter().for_each(Reservation::close);
        }
        Action::Consume(backoff) => {
            let options = WorkerOptions {
                backoff,
                timeout: 0,
                retry_after: 10,
                concurrency: 1,
                sleep: Duration::from_millis(10),
                ..WorkerOptions::default()
            };
            let worker = Worker::on(queue).queues([CHANNEL]).options(options);
            let worker = with_classes(worker, &trace).drain();
            tokio::time::timeout(Duration::from_secs(60), worker).await.expect("it ends").unwrap();
        }
        Action::Other => unreachable!("not replayed"),
    }

    let mut unlike = Vec::new();
    let keys = of(version).keys(CHANNEL);
    let (failed, quarantine) = (keys.failed.clone().unwrap(), keys.quarantine.clone());
    let all = [keys.ready.clone(), keys.delayed, keys.reserved, keys.quarantine];
    let found = look(&redis, all.into_iter().chain([failed.clone(), keys.timeout.unwrap()]));
    let mut theirs = step["user_trace"].clone();
    let waited = start.values().flatten().map(|(member, _)| (member.clone(), None));
    match scenario {
        // What stock drops as no message.
        "bad-data" => {
            let dropped = waited.filter(|(member, _)| member.starts_with(b"a:")).collect();
            expected.insert(quarantine, dropped);
        }
        // What stock drops because its attempts are over: the run before is the last one.
        "result-retry" if expected.is_empty() && theirs.as_array().is_some_and(|trace| !trace.is_empty()) => {
            expected.insert(failed, waited.collect());
        }
        // What stock loses: ours runs once more, and then has no attempts left.
        "result-requeue" if theirs.as_array().is_some_and(|trace| !trace.is_empty()) => {
            let again = waited.map(|(member, score)| {
                let message = handover::dialect::hyperf::message::Message::read(&member).expect("a message");
                (message.counted(message.attempts + 1), score)
            });
            expected.insert(failed, again.collect());
            let lines = theirs.as_array_mut().unwrap();
            lines.extend(lines.clone());
        }
        _ => {}
    }
    if !same_trace(&trace.lines(), &theirs) {
        unlike.push(format!("user code did {:?}, not {theirs}", trace.lines()));
    }
    if plain(&found) != plain(&expected) {
        let shown = |state: &State| -> Vec<String> {
            let all = plain(state).into_iter();
            all.map(|(key, members)| {
                let members: Vec<String> = members.iter().map(|m| m.escape_ascii().to_string()).collect();
                format!("{key}: {}", members.join(" "))
            })
            .collect()
        };
        unlike.push(format!("left {:#?}, not {:#?}", shown(&found), shown(&expected)));
    }
    let later = now() - step["ended_at"].as_f64().unwrap();
    let scores = |state: &State| -> Vec<f64> { state.values().flatten().filter_map(|(_, at)| *at).collect() };
    for (ours, theirs) in scores(&found).into_iter().zip(scores(&expected)) {
        if (ours - theirs - later).abs() > 3.0 && ours != theirs {
            unlike.push(format!("score {ours}, not {}", theirs + later));
        }
    }
    unlike
}

/// Every recorded run by its name, with what was not as recorded; of an idle worker, only those that did something.
async fn every_run(idle: bool) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for version in ["3.1.71", "3.2.4"] {
        let path = folder().join(format!("scenarios-hyperf-async-queue-{version}.json"));
        let Ok(text) = std::fs::read_to_string(&path) else {
            println!("skipped: no {}", path.display());
            continue;
        };
        let recording: Value = serde_json::from_str(&text).unwrap();
        let (mut consumed, mut popped, mut others) = (0, 0, Vec::new());
        for scenario in recording["scenarios"].as_array().unwrap() {
            let nothing = serde_json::json!({"redis": [], "user_trace": []});
            let steps = scenario["steps"].as_array().unwrap();
            for (before, step) in std::iter::once(&nothing).chain(steps).zip(steps) {
                let action = action(step);
                match action {
                    Action::Consume(_) => consumed += 1,
                    Action::Pop => popped += 1,
                    Action::Other => {
                        others.push(step["action"].as_str().unwrap().to_owned());
                        continue;
                    }
                }
                let did_nothing =
                    before["redis"] == step["redis"] && step["user_trace"] == serde_json::json!([]);
                if idle && did_nothing {
                    continue;
                }
                let scenario = scenario["name"].as_str().unwrap();
                let unlike = replay(version, scenario, before, step, action, idle).await;
                found.push((format!("{version} {scenario} {}", step["action"]), unlike));
            }
        }
        println!("{version}: {consumed} runs and {popped} pops replayed; others: {others:?}");
        assert!(consumed >= 14 && popped >= 2, "{consumed} runs and {popped} pops");
        let known = ["push", "ops:", "reload(", "lpush", "delete"];
        let odd: Vec<_> =
            others.iter().filter(|other| !known.iter().any(|known| other.starts_with(known))).collect();
        assert!(odd.is_empty(), "neither replayed nor known: {odd:?}");
    }
    found
}

#[tokio::test]
async fn recorded_scenarios_of_hyperf() {
    let found: Vec<_> = every_run(false).await.into_iter().filter(|(_, unlike)| !unlike.is_empty()).collect();
    assert!(found.is_empty(), "not as recorded: {found:#?}");
}

#[tokio::test]
async fn a_worker_that_does_nothing_is_noticed_in_every_recorded_run_of_hyperf() {
    let unnoticed: Vec<_> =
        every_run(true).await.into_iter().filter(|(_, unlike)| unlike.is_empty()).collect();
    assert!(unnoticed.is_empty(), "{unnoticed:#?}");
}
