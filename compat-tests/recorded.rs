//! Recorded scenarios of the real Laravel, replayed: each recorded run of `queue:work` is given to a worker again, from
//! the recorded state before it, and must end as recorded: the keyspace of Redis, the SQL rows, the exit code, and what
//! user code did.
//!
//! The recordings are not part of this repository. Their folder is `GOLDEN_DIR` where that is set, else `shared/golden`
//! beside the repository; where they are not, these tests say so and pass. Any `scenarios-laravel-8.*.json` in it is
//! replayed, with the job classes of its `apps/laravel/app`.
//!
//! A step is not replayed if it is not a plain run of `queue:work` (a push, an operator's change, another command, a
//! worker in the background that is signalled or killed), if the state before or after it is not wholly recorded (long
//! lists are cut), if no exit code was recorded, or if its scenario sets something that this harness does not know.
//! What was not replayed is counted and printed by reason.
//!
//! States are compared as any two are, in `support::compare`; here that means: moments by their distance to the run,
//! whole seconds, never the fraction of a score; payloads after decoding; uuids and ids only of payloads that were not
//! there before, closures but for their place in memory and so their signature; exceptions by class and message.
//! Moments within the state before are moved to the present, rows of models that jobs name are made up.
//! Never holds a rule for one scenario.

mod intended;
mod models;
mod recording;
mod replay;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use self::recording::{Recordings, Run};
use self::replay::{replay, unlike};
use crate::support::differential::{Worker, php, pooled};
use crate::support::laravel::App;
use crate::support::snapshot::Stored;

/// How many runs are replayed at once: most of a run is waiting for PHP to start or for a job to sleep.
const AT_ONCE: usize = 8;

/// The recordings and the job classes they were made with, if they are here.
fn golden() -> Option<(Recordings, PathBuf)> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden");
    let folder = std::env::var_os("GOLDEN_DIR").map_or_else(beside, PathBuf::from);
    let classes = folder.join("apps/laravel/app");
    let recordings = Recordings::read(&folder);
    if recordings.runs.is_empty() || !classes.is_dir() {
        println!("skipped: no recorded scenarios and their job classes in {}", folder.display());
        return None;
    }
    Some((recordings, classes))
}

/// Does something for each run, several at once; a panic counts as a difference.
fn each(runs: &[Run], work: impl Fn(&Run) -> Vec<String> + Sync) -> Vec<String> {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let lines = catch_unwind(AssertUnwindSafe(|| work(run))).unwrap_or_else(|panic| {
                        let text = panic.downcast_ref::<String>().map(String::as_str);
                        vec![format!("panicked: {}", text.unwrap_or("without a word"))]
                    });
                    let lines = lines.into_iter().map(|line| format!("{}: {line}", run.name));
                    found.lock().expect("no panic while adding").extend(lines);
                }
            });
        }
    });
    let mut found = found.into_inner().expect("no panic while adding");
    found.sort();
    found
}

/// Asserts that a worker does in every recorded run what is expected of it: what the recorded one did, or that with the
/// README's differences.
#[track_caller]
fn assert_replayed_by(worker: &dyn Worker, expected: fn(&Run) -> Run) {
    let Some((recordings, classes)) = golden() else { return };
    let found = each(&recordings.runs, |run| unlike(&expected(run), &replay(run, &classes, worker)));
    println!("{} runs replayed", recordings.runs.len());
    recordings.skipped.iter().for_each(|(why, steps)| println!("{steps} steps not replayed: {why}"));
    assert!(found.is_empty(), "not as recorded:\n{}", found.join("\n"));
}

#[test]
fn recorded_scenarios_by_php() {
    assert_replayed_by(&php, Run::clone);
}

#[test]
fn recorded_scenarios_by_a_pool_of_php_children() {
    assert_replayed_by(&pooled, intended::intended);
}

#[test]
fn a_worker_that_does_nothing_is_noticed() {
    let Some((recordings, classes)) = golden() else { return };
    let idle = |app: &App, _: &[&str]| app.command("true");
    let found = each(&recordings.runs, |run| {
        let nothing_to_do = run.trace.is_empty() && run.exit == 0 && run.before.keys == run.after.keys;
        let noticed = !unlike(run, &replay(run, &classes, &idle)).is_empty();
        if noticed || nothing_to_do { Vec::new() } else { vec!["nobody noticed".to_owned()] }
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A change to a recording; false if it has nothing to change.
type Change = fn(&mut Run) -> bool;

/// One change for everything that is compared.
const CHANGES: [(&str, Change); 16] = [
    ("a key is gone", |run| run.after.keys.pop_first().is_some()),
    ("a list is longer", |run| {
        let lists = run.after.keys.values_mut().find_map(|key| match &mut key.value {
            Stored::List(items) => Some(items),
            _ => None,
        });
        lists.map(|items| items.push(b"{}".to_vec())).is_some()
    }),
    ("a list stands in another order", |run| {
        let mut lists = run.after.keys.values_mut().filter_map(|key| match &mut key.value {
            Stored::List(items) if items.first() != items.last() => Some(items),
            _ => None,
        });
        lists.next().map(|items| items.reverse()).is_some()
    }),
    ("one attempt more", |run| {
        changed_member(run, |member, _| {
            let text = String::from_utf8_lossy(member).replace("\"attempts\":1", "\"attempts\":2");
            std::mem::replace(member, text.clone().into_bytes()) != text.into_bytes()
        })
    }),
    ("another command", |run| {
        changed_member(run, |member, _| {
            let text =
                String::from_utf8_lossy(member).replace("\\\"connection\\\";N;", "\\\"connection\\\";b:0;");
            std::mem::replace(member, text.clone().into_bytes()) != text.into_bytes()
        })
    }),
    ("a score 5 s later", |run| {
        changed_member(run, |_, score| {
            *score += 5.0;
            true
        })
    }),
    ("an expiry 5 s later", |run| {
        let mut expiries = run.after.keys.values_mut().filter_map(|key| key.expires.as_mut());
        expiries.next().map(|expires| *expires += 5.0).is_some()
    }),
    ("a key that never expires", |run| {
        let mut expiries = run.after.keys.values_mut().filter(|key| key.expires.is_some());
        expiries.next().map(|key| key.expires = None).is_some()
    }),
    ("a failed job less", |run| {
        run.after.tables.get_mut("failed_jobs").is_some_and(|rows| rows.pop().is_some())
    }),
    ("a failed job of another queue", |run| changed_cell(run, "failed_jobs", "queue", |_| json!("other"))),
    ("another exception", |run| {
        changed_cell(run, "failed_jobs", "exception", |old| {
            json!(format!("Other{}", old.as_str().unwrap_or("")))
        })
    }),
    ("another count of pending jobs", |run| changed_cell(run, "job_batches", "pending_jobs", |_| json!(7))),
    ("a batch that ended or not", |run| {
        let ended = run.window.0 as i64;
        changed_cell(run, "job_batches", "finished_at", |old| {
            if old.is_null() { json!(ended) } else { json!(null) }
        })
    }),
    ("another cached value", |run| changed_cell(run, "cache", "value", |_| json!("i:9;"))),
    ("another exit code", |run| {
        run.exit += 1;
        true
    }),
    ("user code did more", |run| {
        run.trace.push("more".to_owned());
        true
    }),
];

fn changed_member(run: &mut Run, change: impl Fn(&mut Vec<u8>, &mut f64) -> bool) -> bool {
    let sets = run.after.keys.values_mut().filter_map(|key| match &mut key.value {
        Stored::Zset(members) => Some(members),
        _ => None,
    });
    sets.flatten().any(|(member, score)| change(member, score))
}

fn changed_cell(
    run: &mut Run,
    table: &str,
    column: &str,
    change: impl Fn(&serde_json::Value) -> serde_json::Value,
) -> bool {
    let mut rows = run.after.tables.get_mut(table).into_iter().flatten();
    let cell = rows.find_map(|row| row.get_mut(column));
    cell.map(|cell| *cell = change(cell)).is_some()
}

#[test]
fn a_changed_recording_is_noticed() {
    let Some((recordings, classes)) = golden() else { return };
    // Each change with the first quick run that has what it changes.
    let mut runs: Vec<(Run, Vec<&(&str, Change)>)> = Vec::new();
    for change in &CHANGES {
        let quick = recordings.runs.iter().filter(|run| run.window.1 - run.window.0 < 1.0);
        let fit = quick.clone().find(|run| change.1(&mut (*run).clone()));
        let Some(run) = fit else { panic!("no recorded run to try \"{}\" on", change.0) };
        match runs.iter_mut().find(|(old, _)| old.name == run.name) {
            Some((_, changes)) => changes.push(change),
            None => runs.push((run.clone(), vec![change])),
        }
    }
    let only: Vec<Run> = runs.iter().map(|(run, _)| run.clone()).collect();
    let found = each(&only, |run| {
        let replayed = replay(run, &classes, &php);
        let mut found = unlike(run, &replayed);
        let changes = runs.iter().filter(|(old, _)| old.name == run.name).flat_map(|(_, changes)| changes);
        for (what, change) in changes {
            let mut changed = run.clone();
            change(&mut changed);
            if unlike(&changed, &replayed).is_empty() {
                found.push(format!("{what}: nobody noticed"));
            }
        }
        found
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}
