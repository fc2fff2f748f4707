//! Reads recorded scenarios: which of their steps are runs of `queue:work` that can be replayed, and for each of them
//! the state before, the state after and what else was seen. Never starts anything.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::models::Models;
use crate::support::snapshot::{Bytes, Key, Row, Snapshot, Stored};

/// One run of the worker, as recorded.
#[derive(Clone)]
pub struct Run {
    /// Recording, scenario, step and command line.
    pub name: String,
    /// What follows `queue:work`.
    pub args: Vec<String>,
    /// Variables of the application's `.env`.
    pub env: Vec<(&'static str, String)>,
    pub models: Models,
    pub before: Snapshot,
    pub after: Snapshot,
    /// When it ran, by the recording's clock.
    pub window: (f64, f64),
    pub exit: i64,
    /// What user code wrote.
    pub trace: Vec<String>,
}

/// Everything a folder of recordings has to say.
#[derive(Default)]
pub struct Recordings {
    pub runs: Vec<Run>,
    /// How many steps are not replayed, by the reason.
    pub skipped: BTreeMap<String, usize>,
}

/// Why a step is not replayed.
type Skipped = String;

impl Recordings {
    /// Reads every `scenarios-laravel-8.*.json` of a folder; none if there is no such folder.
    pub fn read(folder: &Path) -> Recordings {
        let mut found = Recordings::default();
        let Ok(entries) = fs::read_dir(folder) else { return found };
        let mut names: Vec<String> = entries
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        for name in names {
            if name.starts_with("scenarios-laravel-8.") && name.ends_with(".json") {
                let text = fs::read_to_string(folder.join(&name)).expect("a recording");
                let recording = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
                found.add(name.trim_end_matches(".json"), &recording);
            }
        }
        found
    }

    fn add(&mut self, file: &str, recording: &Value) {
        for scenario in items(&recording["scenarios"]) {
            let steps = items(&scenario["steps"]);
            let models = Models::of(&steps.iter().map(state).collect::<Vec<_>>());
            let env = environment(recording, &scenario["env"]);
            let mut before = (Snapshot::default(), true);
            for (number, step) in steps.iter().enumerate() {
                let after = (state(step), is_whole(step));
                let name =
                    format!("{file}, {}, step {number} ({})", text(&scenario["name"]), text(&step["action"]));
                let run = command_line(step).and_then(|args| {
                    if !(before.1 && after.1) {
                        return Err("the recording cut a list before or after it".to_owned());
                    }
                    Ok(Run {
                        name,
                        args,
                        env: env.clone()?,
                        models: models.clone(),
                        before: before.0.clone(),
                        after: after.0.clone(),
                        window: (number_of(&step["started_at"]), number_of(&step["ended_at"])),
                        exit: step["exit"].as_i64().ok_or("no exit code was recorded")?,
                        trace: items(&step["user_trace"]).iter().map(|line| text(line).to_owned()).collect(),
                    })
                });
                match run {
                    Ok(run) => self.runs.push(run),
                    Err(why) => *self.skipped.entry(why).or_default() += 1,
                }
                before = after;
            }
        }
    }
}

/// What follows `queue:work`, if the step ran that and nothing else.
fn command_line(step: &Value) -> Result<Vec<String>, Skipped> {
    let mut words = text(&step["action"]).split_whitespace();
    match text(&step["kind"]) {
        "artisan" if words.next() == Some("queue:work") => Ok(words.map(str::to_owned).collect()),
        "artisan" => Err("another command than queue:work".to_owned()),
        "php" => Err("not a command: a push, or an operator's change".to_owned()),
        kind => Err(format!("of the kind {kind}: run in the background, then signalled or killed")),
    }
}

/// The recording's settings, and what its scenario varies, under the names the application reads.
fn environment(recording: &Value, varied: &Value) -> Result<Vec<(&'static str, String)>, Skipped> {
    let setting = |value: &Value| match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let queue = &recording["queue_connection"];
    let mut env = vec![
        ("APP_KEY", setting(&recording["app_key_ascii"])),
        ("REDIS_PREFIX", setting(&recording["redis_prefix"])),
        ("REDIS_QUEUE", setting(&queue["queue"])),
        ("REDIS_QUEUE_RETRY_AFTER", setting(&queue["retry_after"])),
        ("REDIS_QUEUE_BLOCK_FOR", setting(&queue["block_for"])),
        ("CACHE_DRIVER", setting(&recording["cache"]["store"])),
        ("CACHE_PREFIX", setting(&recording["cache"]["prefix"])),
        ("QUEUE_FAILED_DRIVER", setting(&recording["failed_driver"])),
    ];
    for (name, value) in varied.as_object().into_iter().flatten() {
        let ours = match name.as_str() {
            "LAB_BLOCK_FOR" => "REDIS_QUEUE_BLOCK_FOR",
            "LAB_CACHE" => "CACHE_DRIVER",
            "LAB_FAILED_DRIVER" => "QUEUE_FAILED_DRIVER",
            other => return Err(format!("its scenario sets {other}, which is not understood")),
        };
        // The last of a name holds.
        env.push((ours, setting(value)));
    }
    Ok(env)
}

/// Whether the recording shows every entry of every key.
fn is_whole(step: &Value) -> bool {
    items(&step["redis"]).iter().all(|key| key.get("count").is_none() && key.get("truncated_to").is_none())
}

/// The state a step left.
fn state(step: &Value) -> Snapshot {
    let ended = number_of(&step["ended_at"]);
    let mut state = Snapshot::default();
    for key in items(&step["redis"]) {
        let value = match text(&key["type"]) {
            "string" => Stored::Text(bytes(&key["value_b64"])),
            "list" => Stored::List(items(&key["items_b64"]).iter().map(bytes).collect()),
            "zset" => Stored::Zset(
                items(&key["members"])
                    .iter()
                    .map(|member| (bytes(&member["member_b64"]), number_of(&member["score"])))
                    .collect(),
            ),
            other => panic!("the type {other} of {} is not known", key["key"]),
        };
        let left = key["pttl"].as_f64().filter(|left| *left >= 0.0);
        let db = key["db"].as_u64().and_then(|db| u32::try_from(db).ok()).expect("a database's number");
        let key_of = (db, text(&key["key"]).to_owned());
        state.keys.insert(key_of, Key { value, expires: left.map(|left| ended + left / 1000.0) });
    }
    for (table, rows) in step["sql"].as_object().into_iter().flatten() {
        let mut rows: Vec<Row> = items(rows).iter().filter_map(|row| row.as_object().cloned()).collect();
        rows.sort_by_key(|row| row.get("key").map(ToString::to_string));
        state.tables.insert(table.clone(), rows);
    }
    state
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[track_caller]
fn number_of(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

#[track_caller]
fn bytes(value: &Value) -> Bytes {
    BASE64_STANDARD.decode(text(value)).unwrap_or_else(|error| panic!("{value}: {error}"))
}
