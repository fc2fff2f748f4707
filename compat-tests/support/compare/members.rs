//! Lists and sorted sets: which member of one side is which of the other, and whether order and scores agree.
//! Never looks at more than one key.

use super::super::snapshot::{Bytes, Stored};
use super::value::only_attempts_differ;
use super::{Judge, Side};

/// The members found on both sides, by index, and what is wrong with the rest.
struct Matched {
    pairs: Vec<(usize, usize)>,
    notes: Vec<String>,
}

impl Judge<'_> {
    pub(super) fn list(&self, a: &[Bytes], b: &[Bytes]) -> Vec<String> {
        let Matched { pairs, mut notes } = self.match_up(a, b);
        if a.len() != b.len() {
            notes.push(format!("{} elements expected, {} found", a.len(), b.len()));
        } else if notes.is_empty() && pairs.iter().any(|(i, j)| i != j) {
            let order: Vec<_> = pairs.iter().map(|(_, j)| j).collect();
            notes.push(format!("the elements stand in another order: {order:?}"));
        }
        notes
    }

    pub(super) fn zset(&self, name: &(u32, String), a: &[(Bytes, f64)], b: &[(Bytes, f64)]) -> Vec<String> {
        let only =
            |members: &[(Bytes, f64)]| members.iter().map(|(member, _)| member.clone()).collect::<Vec<_>>();
        let Matched { pairs, mut notes } = self.match_up(&only(a), &only(b));
        for (i, j) in pairs {
            let kept = stood(self.expected, name, &a[i]) && stood(self.actual, name, &b[j]);
            if !kept && !self.same_time(a[i].1, b[j].1) {
                let (wants, has) = (a[i].1 - self.expected.window.0, b[j].1 - self.actual.window.0);
                notes.push(format!(
                    "score {wants:+.1} s after the start expected, {has:+.1} s found: {}",
                    brief(&a[i].0)
                ));
            }
        }
        notes
    }

    /// Pairs equal members first; those left over are paired by their uuid to say in what they differ.
    fn match_up(&self, a: &[Bytes], b: &[Bytes]) -> Matched {
        let mut free: Vec<usize> = (0..b.len()).collect();
        let (mut pairs, mut lonely, mut notes) = (Vec::new(), Vec::new(), Vec::new());
        for (i, member) in a.iter().enumerate() {
            match free.iter().position(|&j| self.payload(member, &b[j]).is_none()) {
                Some(at) => pairs.push((i, free.remove(at))),
                None => lonely.push(member),
            }
        }
        let mut missing = Vec::new();
        for member in lonely {
            match free.iter().position(|&j| uuid(member).is_some() && uuid(member) == uuid(&b[j])) {
                Some(at) => notes.extend(self.payload(member, &b[free.remove(at)])),
                None => missing.push(member),
            }
        }
        notes.extend(missing.iter().map(|member| format!("missing: {}", brief(member))));
        if let ([member], [j]) = (&missing[..], &free[..]) {
            notes.extend(
                self.payload(member, &b[*j]).map(|what| format!("the missing and the unexpected: {what}")),
            );
        }
        notes.extend(free.iter().map(|&j| format!("unexpected: {}", brief(&b[j]))));
        Matched { pairs, notes }
    }
}

/// Jobs that stood before the work and stand now in bytes that differ by more than their attempts. PHP's own pop does
/// this to every job; our worker must not.
pub fn rewritten(side: &Side) -> Vec<String> {
    let before: Vec<&Bytes> = side.before.keys.values().flat_map(|key| bytes(&key.value)).collect();
    let after = side.after.keys.values().flat_map(|key| bytes(&key.value));
    let known = |job: &&Bytes| uuid(job).is_some() && before.iter().any(|old| uuid(old) == uuid(job));
    let kept = |job: &Bytes| before.iter().any(|old| only_attempts_differ(old, job));
    after.filter(known).filter(|job| !kept(job)).map(|job| format!("rewritten: {}", brief(job))).collect()
}

fn bytes(stored: &Stored) -> Vec<&Bytes> {
    match stored {
        Stored::List(items) => items.iter().collect(),
        Stored::Zset(members) => members.iter().map(|(member, _)| member).collect(),
        _ => Vec::new(),
    }
}

/// Whether this very member with this very score was there before the work.
fn stood(side: &Side, name: &(u32, String), member: &(Bytes, f64)) -> bool {
    match side.before.keys.get(name).map(|key| &key.value) {
        Some(Stored::Zset(members)) => members.contains(member),
        _ => false,
    }
}

fn uuid(member: &[u8]) -> Option<String> {
    let decoded: serde_json::Value = serde_json::from_slice(member).ok()?;
    Some(decoded.get("uuid")?.as_str()?.to_owned())
}

fn brief(member: &[u8]) -> String {
    let text = String::from_utf8_lossy(member);
    let short: String = text.chars().take(160).collect();
    if short.len() < text.len() { format!("{short}...") } else { short }
}
