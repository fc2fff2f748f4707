//! One payload against another: equal after decoding. Forgiven: key order, escapes, `[]` for `{}`, digits after the
//! fourteenth (all cjson's doing), ids made up meanwhile, moments in a payload made meanwhile, and in a serialized
//! closure what PHP makes anew each time.

use serde_json::Value;

use super::Judge;

/// Payload fields that hold a Unix time.
const MOMENTS: [&str; 4] = ["retryUntil", "timeoutAt", "createdAt", "pushedAt"];

impl Judge<'_> {
    /// In what two payloads differ; none if they are the same. What is not JSON must be equal byte for byte.
    pub(super) fn payload(&self, a: &[u8], b: &[u8]) -> Option<String> {
        if a == b {
            return None;
        }
        let decode = |bytes| serde_json::from_slice::<Value>(bytes).ok();
        match (decode(a), decode(b)) {
            (Some(a), Some(b)) => self.json("", &a, &b),
            _ => Some(format!("{} expected, {} found", a.escape_ascii(), b.escape_ascii())),
        }
    }

    /// In what two plain strings differ: cached numbers and times are forgiving, and so is the random owner of a lock.
    pub(super) fn text(&self, a: &[u8], b: &[u8]) -> Option<String> {
        let (x, y) = (String::from_utf8_lossy(a), String::from_utf8_lossy(b));
        let token = |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if token(&x) && token(&y) && self.both_new(&x, &y) {
            return None;
        }
        match (moment(&x), moment(&y)) {
            (Some(x), Some(y)) if self.same_time(x, y) => None,
            _ => self.payload(a, b),
        }
    }

    fn json(&self, path: &str, a: &Value, b: &Value) -> Option<String> {
        match (a, b) {
            (Value::Number(x), Value::Number(y)) if digits(x) == digits(y) => None,
            (Value::Number(x), Value::Number(y)) if MOMENTS.contains(&path) => {
                let same = self.same_time(x.as_f64()?, y.as_f64()?);
                (!same).then(|| format!("{path}: {x} expected, {y} found"))
            }
            (Value::String(x), Value::String(y)) if matches!(path, "uuid" | "id") && self.both_new(x, y) => {
                None
            }
            (Value::String(x), Value::String(y)) if anonymous(x) == anonymous(y) => None,
            (Value::Array(x), Value::Object(y)) | (Value::Object(y), Value::Array(x))
                if x.is_empty() && y.is_empty() =>
            {
                None
            }
            (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
                let items = x.iter().zip(y).enumerate();
                items.into_iter().find_map(|(i, (x, y))| self.json(&join(path, &i.to_string()), x, y))
            }
            (Value::Object(x), Value::Object(y)) => {
                let gone = x.keys().find(|name| !y.contains_key(*name)).map(|name| (name, "is missing"));
                let new = y.keys().find(|name| !x.contains_key(*name)).map(|name| (name, "is not expected"));
                match gone.or(new) {
                    Some((name, what)) => Some(format!("{} {what}", join(path, name))),
                    None => x.iter().find_map(|(name, x)| self.json(&join(path, name), x, &y[name])),
                }
            }
            (a, b) if a == b => None,
            (a, b) => Some(format!("{path}: {a} expected, {b} found")),
        }
    }
}

/// Whether a payload is another with nothing but other digits after its top-level `attempts`: what our worker promises.
pub fn only_attempts_differ(pushed: &[u8], found: &[u8]) -> bool {
    let attempts = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok()?.get("attempts").cloned();
    let (Some(old), Some(new)) = (attempts(pushed), attempts(found)) else {
        return pushed == found;
    };
    let (old, new) = (old.to_string(), new.to_string());
    let starts = |at: &usize| {
        pushed[*at..].starts_with(old.as_bytes()) && pushed[..*at].trim_ascii_end().ends_with(b":")
    };
    let mut places = (0..pushed.len()).filter(starts);
    places.any(|at| [&pushed[..at], new.as_bytes(), &pushed[at + old.len()..]].concat() == found)
}

/// As cjson keeps it.
fn digits(number: &serde_json::Number) -> Option<String> {
    number.as_f64().map(|number| format!("{number:.13e}"))
}

/// A Unix time, bare or serialized by PHP.
fn moment(text: &str) -> Option<f64> {
    let bare = text.strip_prefix("i:").and_then(|text| text.strip_suffix(';')).unwrap_or(text);
    bare.parse().ok().filter(|seconds: &f64| (1e9..1e11).contains(seconds))
}

/// A serialized closure without what depends on where it lay in PHP's memory: its `self`, and so the `hash` that signs it.
fn anonymous(text: &str) -> String {
    let mut text = text.to_owned();
    if !text.contains("\\SerializableClosure\"") {
        return text;
    }
    for (name, length) in [("\"self\";s:32:\"", 32), ("\"hash\";s:44:\"", 44)] {
        let places: Vec<usize> = text.match_indices(name).map(|(at, name)| at + name.len()).collect();
        for at in places {
            if text.get(at..at + length).is_some() {
                text.replace_range(at..at + length, &"-".repeat(length));
            }
        }
    }
    text
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
