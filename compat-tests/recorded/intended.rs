//! What the README says that Handover does otherwise, applied to a recorded run: the recording as it would be then. Only
//! its rows about timeouts and unreadable payloads touch recorded runs. Never looks at what a worker did.

use serde_json::Value;

use super::recording::Run;
use crate::support::snapshot::{Bytes, Key, Stored};

/// Exit code of a worker that the alarm has killed.
const KILLED: i64 = 137;

/// The run as a pool is meant to leave it.
pub fn intended(run: &Run) -> Run {
    let mut run = run.clone();
    if run.exit == KILLED {
        timeout_ends_a_child(&mut run);
    }
    set_aside(&mut run);
    run
}

/// Only the child dies; a job that may run again is released for what is left of its reservation.
fn timeout_ends_a_child(run: &mut Run) {
    run.exit = 0;
    let left: Vec<_> = run.after.keys.keys().filter(|(_, key)| key.ends_with(":reserved")).cloned().collect();
    for (db, name) in left {
        let key = run.after.keys.remove(&(db, name.clone())).expect("just seen");
        run.after.keys.insert((db, name.replace(":reserved", ":delayed")), key);
    }
}

/// What the stock pop loses, or will lose, is in quarantine, and its wake-up token is spent.
fn set_aside(run: &mut Run) {
    for ((db, name), key) in run.before.keys.clone() {
        let Stored::List(items) = key.value else { continue };
        let aside: Vec<Bytes> = items.into_iter().filter(|item| unreadable(item)).collect();
        if aside.is_empty() || name.ends_with(":notify") {
            continue;
        }
        run.after
            .keys
            .insert((db, format!("{name}:quarantine")), Key { value: Stored::List(aside), expires: None });
        if let Some(Key { value: Stored::List(items), .. }) = run.after.keys.get_mut(&(db, name.clone())) {
            items.retain(|item| !unreadable(item));
        }
        run.after.keys.retain(|(_, other), key| {
            let emptied = matches!(&key.value, Stored::List(items) if items.is_empty());
            !emptied && *other != format!("{name}:notify")
        });
    }
}

fn unreadable(item: &[u8]) -> bool {
    !serde_json::from_slice::<Value>(item).is_ok_and(|value| value["attempts"].is_number())
}
