//! The one judge of "the same after-state": two snapshots in, the differences out, in words. It forgives what cannot be
//! equal (when exactly things happened, ids made up meanwhile, how a JSON text is written) and nothing else.
//! Never reads Redis or a clock.

mod members;
mod rows;
mod value;

use std::collections::BTreeSet;

use super::snapshot::{Key, Snapshot, Stored};

pub use members::rewritten;
pub use value::only_attempts_differ;

/// One side of a comparison: what it looked like before and after some work, and when that work was done.
#[derive(Debug, Clone)]
pub struct Side {
    pub before: Snapshot,
    pub after: Snapshot,
    /// Unix times between which every change was made.
    pub window: (f64, f64),
}

/// How closely to look at the exceptions of failed jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exceptions {
    Ignored,
    /// Their class and message; never the place or the stack.
    Compared,
}

/// Every way in which the actual after-state is not the expected one.
pub fn differences(expected: &Side, actual: &Side, exceptions: Exceptions) -> Vec<String> {
    let judge = Judge { expected, actual, exceptions };
    let names: BTreeSet<_> = expected.after.keys.keys().chain(actual.after.keys.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        let at = format!("{} (db {})", name.1, name.0);
        match (expected.after.keys.get(name), actual.after.keys.get(name)) {
            (Some(_), None) => found.push(format!("{at}: missing")),
            (None, Some(_)) => found.push(format!("{at}: unexpected")),
            (Some(a), Some(b)) => {
                found.extend(judge.key(name, a, b).into_iter().map(|what| format!("{at}: {what}")));
            }
            (None, None) => {}
        }
    }
    found.extend(judge.tables());
    found
}

/// Both sides, and the rules that need to know them.
struct Judge<'a> {
    expected: &'a Side,
    actual: &'a Side,
    exceptions: Exceptions,
}

impl Judge<'_> {
    fn key(&self, name: &(u32, String), a: &Key, b: &Key) -> Vec<String> {
        let old = |side: &Side| side.before.keys.get(name).cloned();
        let mut found = match (&a.value, &b.value) {
            (Stored::Text(a), Stored::Text(b)) => self.text(a, b).into_iter().collect(),
            (Stored::List(a), Stored::List(b)) => self.list(a, b),
            (Stored::Zset(a), Stored::Zset(b)) => self.zset(name, a, b),
            (a, b) if a == b => Vec::new(),
            (a, b) => vec![format!("{a:?} expected, {b:?} found")],
        };
        let kept = |key: &Key, old: Option<Key>| old.is_some_and(|old| near(old.expires, key.expires));
        if !(kept(a, old(self.expected)) && kept(b, old(self.actual))) {
            match (a.expires, b.expires) {
                (None, None) => {}
                (Some(x), Some(y)) if self.same_time(x, y) => {}
                (x, y) => found.push(format!("expires {x:?} expected, {y:?} found")),
            }
        }
        found
    }

    /// Whether two moments, one of each side, are the same step from the work that caused them. Whole seconds, as PHP
    /// counts: what a worker adds below a second is its own. Two moments that both stood before the work are not judged
    /// here.
    fn same_time(&self, expected: f64, actual: f64) -> bool {
        let step = |moment: f64, (from, to): (f64, f64)| (moment.floor() - to, moment.floor() - from + 1.0);
        let (a, b) = (step(expected, self.expected.window), step(actual, self.actual.window));
        a.0 <= b.1 && b.0 <= a.1
    }

    /// Whether both sides made this id up themselves: neither ever saw the other's.
    fn both_new(&self, expected: &str, actual: &str) -> bool {
        let saw = |side: &Side, id: &str| mentions(&side.before, id) || mentions(&side.after, id);
        !saw(self.actual, expected) && !saw(self.expected, actual)
    }
}

fn near(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 0.1,
        (a, b) => a == b,
    }
}

fn mentions(snapshot: &Snapshot, id: &str) -> bool {
    let within = |bytes: &[u8]| !id.is_empty() && bytes.windows(id.len()).any(|part| part == id.as_bytes());
    let stored = snapshot.keys.values().any(|key| match &key.value {
        Stored::Text(text) => within(text),
        Stored::List(items) => items.iter().any(|item| within(item)),
        Stored::Zset(members) => members.iter().any(|(member, _)| within(member)),
        Stored::Hash(fields) => fields.iter().any(|(field, value)| within(field) || within(value)),
        Stored::Set(members) => members.iter().any(|member| within(member)),
    });
    let cells = || snapshot.tables.values().flatten().flat_map(|row| row.values());
    stored || cells().any(|cell| cell.as_str().is_some_and(|text| within(text.as_bytes())))
}
