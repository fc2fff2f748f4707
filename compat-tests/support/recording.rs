//! Recorded scenarios: the state that a step left, put into a Redis and looked at there. Never judges.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use super::redis::Redis;

/// Members and scores by key; a list has no scores.
pub type State = BTreeMap<String, Vec<(Vec<u8>, Option<f64>)>>;

/// Where recordings are: `GOLDEN_DIR`, else `shared/golden` beside this repository.
pub fn folder() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden");
    std::env::var_os("GOLDEN_DIR").map_or_else(beside, PathBuf::from)
}

/// The queue's keys, which hold this text, at the end of a step; `None` where they were not wholly recorded, or others are
/// there.
pub fn state(step: &Value, named: &str) -> Option<State> {
    let mut state = State::new();
    for key in step["redis"].as_array().into_iter().flatten() {
        let name = key["key"].as_str()?.to_owned();
        let bytes = |value: &Value| BASE64_STANDARD.decode(value.as_str()?).ok();
        if !name.contains(named) || key["count"].is_number() {
            return None;
        }
        let members: Option<Vec<_>> = match key["type"].as_str()? {
            "list" => key["items_b64"].as_array()?.iter().map(|item| Some((bytes(item)?, None))).collect(),
            _ => {
                let member = |member: &Value| Some((bytes(&member["member_b64"])?, member["score"].as_f64()));
                key["members"].as_array()?.iter().map(member).collect()
            }
        };
        state.insert(name, members?);
    }
    Some(state)
}

/// Puts a state into a Redis, its scores so much later.
pub fn fill(redis: &Redis, state: &State, later: f64) {
    for (key, members) in state {
        for (member, score) in members {
            let mut command = redis::cmd(if score.is_some() { "ZADD" } else { "RPUSH" });
            command.arg(key);
            // Scores that an operator has set to 1 are due, whenever.
            score.map(|score| command.arg(if score > 1e6 { score + later } else { score }));
            command.arg(member).query::<i64>(&mut redis.connect(0)).unwrap();
        }
    }
}

/// What a Redis holds under these keys.
pub fn look(redis: &Redis, keys: impl IntoIterator<Item = String>) -> State {
    let mut state = State::new();
    let mut connection = redis.connect(0);
    for key in keys {
        let kind: String = redis.query(&["TYPE", &key]);
        let members: Vec<(Vec<u8>, Option<f64>)> = match kind.as_str() {
            "none" => continue,
            "list" => {
                let items: Vec<Vec<u8>> =
                    redis::cmd("LRANGE").arg(&key).arg(0).arg(-1).query(&mut connection).unwrap();
                items.into_iter().map(|item| (item, None)).collect()
            }
            _ => {
                let mut range = redis::cmd("ZRANGE");
                let members: Vec<(Vec<u8>, f64)> =
                    range.arg(&key).arg(0).arg(-1).arg("WITHSCORES").query(&mut connection).unwrap();
                members.into_iter().map(|(member, score)| (member, Some(score))).collect()
            }
        };
        state.insert(key, members);
    }
    state
}
