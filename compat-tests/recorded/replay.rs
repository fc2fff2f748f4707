//! Replays one recorded run: its state is moved to the present and put into a Redis and an application of its own, a
//! worker runs, and what it leaves is held against the recording. Never chooses what to replay.

use std::path::Path;

use chrono::{NaiveDateTime, TimeDelta};
use serde_json::Value;

use super::recording::Run;
use crate::support::compare::{Exceptions, Side, differences};
use crate::support::differential::Worker;
use crate::support::laravel::App;
use crate::support::process::{Finished, Running};
use crate::support::redis::Redis;
use crate::support::snapshot::{Bytes, Row, Snapshot, Stored, fill, now};

/// What a worker did to a recorded state.
pub struct Replayed {
    side: Side,
    end: Finished,
    trace: Vec<String>,
}

/// Lets a worker do what the recording says one did.
pub fn replay(run: &Run, classes: &Path, worker: &dyn Worker) -> Replayed {
    let redis = Redis::start();
    let mut app = App::with_classes(classes, &redis);
    run.env.iter().for_each(|(name, value)| app.set_env(name, value));
    app.set_env("APP_PROVIDERS", r"App\\Support\\LabServiceProvider");
    app.set_env("LAB_TRACE", &app.path("storage/trace.log").display().to_string());

    let from = now();
    let before = moved(&run.before, (from.floor() - run.window.0.floor()) as i64, run.window.0);
    let mut statements = run.models.statements();
    if run.env.contains(&("QUEUE_FAILED_DRIVER", "database".to_owned())) {
        // As the table was when this driver was the only one.
        statements.push("DROP INDEX failed_jobs_uuid_unique".to_owned());
        statements.push("ALTER TABLE failed_jobs DROP COLUMN uuid".to_owned());
    }
    for (table, rows) in &before.tables {
        statements.extend(rows.iter().map(|row| insertion(table, row)));
    }
    app.sql_each(&statements);
    fill(&redis, before.keys.clone());

    let args: Vec<&str> = run.args.iter().map(String::as_str).collect();
    let end = Running::start(worker(&app, &args)).finish();
    let side = Side { before, after: Snapshot::take(&redis, &app), window: (from, now()) };
    Replayed { side, end, trace: app.trace() }
}

/// How that is not what was recorded, in words.
pub fn unlike(run: &Run, replayed: &Replayed) -> Vec<String> {
    let recorded = Side { before: run.before.clone(), after: run.after.clone(), window: run.window };
    let mut found = differences(&recorded, &replayed.side, Exceptions::Compared);
    if i64::from(replayed.end.code) != run.exit {
        found.push(format!("exit code {} expected, {} found", run.exit, replayed.end.code));
    }
    if replayed.trace != run.trace {
        found.push(format!("user code: {:?} expected, {:?} found", run.trace, replayed.trace));
    }
    if !found.is_empty() {
        found.push(format!("the worker's own words: {}{}", replayed.end.stdout, replayed.end.stderr));
    }
    found
}

/// The state as if recorded that many seconds later: scores, expiries, timestamps of rows, cached times. A payload's
/// `retryUntil` moves along if it lies within a day of the recorded run; all its other bytes stay.
fn moved(state: &Snapshot, seconds: i64, recorded: f64) -> Snapshot {
    let mut state = state.clone();
    for key in state.keys.values_mut() {
        key.expires = key.expires.map(|expires| expires + seconds as f64);
        match &mut key.value {
            Stored::Text(text) => {
                if let Some(later) = moment(&String::from_utf8_lossy(text), seconds) {
                    *text = later.into_bytes();
                }
            }
            Stored::List(items) => items.iter_mut().for_each(|item| payload(item, seconds, recorded)),
            Stored::Zset(members) => {
                for (item, score) in members {
                    payload(item, seconds, recorded);
                    // A score of 1 is an operator's: due since ever.
                    if is_moment(*score) {
                        *score += seconds as f64;
                    }
                }
            }
            Stored::Hash(_) | Stored::Set(_) => {}
        }
    }
    for row in state.tables.values_mut().flatten() {
        for (column, cell) in row.iter_mut() {
            match cell {
                Value::String(text) if column == "payload" => {
                    let mut bytes = std::mem::take(text).into_bytes();
                    payload(&mut bytes, seconds, recorded);
                    *text = String::from_utf8(bytes).expect("text");
                }
                Value::String(text) if column == "value" || column.ends_with("_at") => {
                    if let Some(later) = moment(text, seconds) {
                        *text = later;
                    }
                }
                Value::Number(number) if column == "expiration" || column.ends_with("_at") => {
                    *cell = number.as_i64().map(|number| number + seconds).into();
                }
                _ => {}
            }
        }
    }
    state
}

/// A text that is a moment, that much later: `1795218118`, `i:1795218118;` or `2026-11-20 23:41:58`.
fn moment(text: &str, seconds: i64) -> Option<String> {
    const FORM: &str = "%Y-%m-%d %H:%M:%S";
    if let Ok(time) = NaiveDateTime::parse_from_str(text, FORM) {
        return Some((time + TimeDelta::seconds(seconds)).format(FORM).to_string());
    }
    let bare = text.strip_prefix("i:").and_then(|text| text.strip_suffix(';')).unwrap_or(text);
    let number: i64 = bare.parse().ok().filter(|number| is_moment(*number as f64))?;
    Some(text.replace(bare, &(number + seconds).to_string()))
}

fn is_moment(number: f64) -> bool {
    (1e9..1e11).contains(&number)
}

/// Moves the `retryUntil` of a payload in place.
fn payload(bytes: &mut Bytes, seconds: i64, recorded: f64) {
    const DAY: f64 = 86_400.0;
    let Ok(Value::Object(fields)) = serde_json::from_slice(bytes) else { return };
    let Some(until) = fields.get("retryUntil").and_then(Value::as_i64) else { return };
    if (until as f64 - recorded).abs() < DAY {
        let text = String::from_utf8_lossy(bytes);
        let (old, new) = (format!("\"retryUntil\":{until}"), format!("\"retryUntil\":{}", until + seconds));
        *bytes = text.replacen(&old, &new, 1).into_bytes();
    }
}

/// SQL for one row. Texts go as hexadecimal digits: they may hold any character.
fn insertion(table: &str, row: &Row) -> String {
    let names: Vec<String> = row.keys().map(|name| format!("\"{name}\"")).collect();
    let cell = |cell: &Value| match cell {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => {
            let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            format!("CAST(X'{digits}' AS TEXT)")
        }
        other => other.to_string(),
    };
    let cells: Vec<String> = row.values().map(cell).collect();
    format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), cells.join(", "))
}

#[test]
fn a_state_moves_to_another_time_and_keeps_its_other_bytes() {
    assert_eq!(moment("i:1795218118;", 60).as_deref(), Some("i:1795218178;"));
    assert_eq!(moment("2026-11-20 23:59:58", 3).as_deref(), Some("2026-11-21 00:00:01"));
    assert_eq!(moment("2", 60), None);
    let mut near = br#"{"a":"\/", "retryUntil":1795218118}"#.to_vec();
    payload(&mut near, 60, 1_795_218_000.0);
    assert_eq!(near, br#"{"a":"\/", "retryUntil":1795218178}"#);
    payload(&mut near, 60, 1_595_218_000.0);
    assert_eq!(near, br#"{"a":"\/", "retryUntil":1795218178}"#);
}
