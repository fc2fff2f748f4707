//! A PHP configuration array, read: what the probe prints, the cached configuration and a guess have in common.
//!
//! Casts as PHP does, and refuses what PHP would warn of. Never knows what a key means. Counterpart in PHP: the array of
//! `Illuminate\Config\Repository`, and `Illuminate\Support\Arr::get`.

use serde_json::Value as Json;

/// A value of a configuration file.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Tree {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// Keys as text, in their order; a list has the keys 0, 1, 2.
    Array(Vec<(String, Tree)>),
    /// An object or a constant: only its class or name is known.
    Object(String),
}

/// Where the probe puts the class of an object.
const OBJECT: &str = "\0object";

impl Tree {
    /// An array of these entries.
    pub(super) fn array<K: Into<String>>(entries: impl IntoIterator<Item = (K, Tree)>) -> Self {
        Tree::Array(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// The value at a path with dots; nothing where it is missing or null.
    pub(super) fn get(&self, path: &str) -> Option<&Tree> {
        path.split('.').try_fold(self, |tree, key| tree.at(key)).filter(|found| **found != Tree::Null)
    }

    /// The value under one key, null included.
    pub(super) fn at(&self, key: &str) -> Option<&Tree> {
        self.entries().iter().find(|(known, _)| known == key).map(|(_, value)| value)
    }

    /// The entries of an array; none of anything else.
    pub(super) fn entries(&self) -> &[(String, Tree)] {
        match self {
            Tree::Array(entries) => entries,
            _ => &[],
        }
    }

    /// Puts a value under a key, in the place of one that is there.
    pub(super) fn set(&mut self, key: &str, value: Tree) {
        if !matches!(self, Tree::Array(_)) {
            *self = Tree::Array(Vec::new());
        }
        let Tree::Array(entries) = self else { return };
        match entries.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => *old = value,
            None => entries.push((key.to_owned(), value)),
        }
    }

    /// PHP's `array_merge` of arrays with names for keys: the later one wins, with a null as well.
    pub(super) fn merged(&self, later: &Tree) -> Tree {
        let mut all = Tree::Array(self.entries().to_vec());
        later.entries().iter().for_each(|(key, value)| all.set(key, value.clone()));
        all
    }

    /// The array without a key.
    pub(super) fn without(&self, key: &str) -> Tree {
        Tree::array(self.entries().iter().filter(|(known, _)| known != key).cloned())
    }

    /// PHP's `(bool)`.
    pub(super) fn is_truthy(&self) -> bool {
        match self {
            Tree::Null => false,
            Tree::Bool(value) => *value,
            Tree::Int(value) => *value != 0,
            Tree::Float(value) => *value != 0.0,
            Tree::Text(text) => !matches!(text.as_str(), "" | "0"),
            Tree::Array(entries) => !entries.is_empty(),
            Tree::Object(_) => true,
        }
    }

    /// PHP's `(string)`; nothing for arrays and objects.
    pub(super) fn text(&self) -> Option<String> {
        Some(match self {
            Tree::Null | Tree::Bool(false) => String::new(),
            Tree::Bool(true) => "1".to_owned(),
            Tree::Int(value) => value.to_string(),
            Tree::Float(value) => value.to_string(),
            Tree::Text(text) => text.clone(),
            Tree::Array(_) | Tree::Object(_) => return None,
        })
    }

    /// PHP's `(int)`; nothing for arrays and objects.
    pub(super) fn int(&self) -> Option<i64> {
        #[allow(clippy::cast_possible_truncation, reason = "as PHP does within its range")]
        Some(match self {
            Tree::Null => 0,
            Tree::Bool(value) => i64::from(*value),
            Tree::Int(value) => *value,
            Tree::Float(value) => *value as i64,
            Tree::Text(text) => leading_number(text),
            Tree::Array(_) | Tree::Object(_) => return None,
        })
    }

    /// What it is, for messages; never its value.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Tree::Null => "null",
            Tree::Bool(_) => "a bool",
            Tree::Int(_) | Tree::Float(_) => "a number",
            Tree::Text(_) => "a text",
            Tree::Array(_) => "an array",
            Tree::Object(_) => "an object",
        }
    }
}

/// The number a text begins with, 0 without one.
fn leading_number(text: &str) -> i64 {
    let text = text.trim_start();
    let digit = |(at, c): (usize, char)| !(c.is_ascii_digit() || at == 0 && matches!(c, '+' | '-'));
    let whole = &text[..text.char_indices().find(|found| digit(*found)).map_or(text.len(), |(at, _)| at)];
    let rest = text[whole.len()..].chars().next();
    match rest {
        Some('.' | 'e' | 'E') => {
            let number = |c: char| !(c.is_ascii_digit() || "+-.eE".contains(c));
            let float = text[..text.find(number).unwrap_or(text.len())].parse::<f64>();
            #[allow(clippy::cast_possible_truncation, reason = "as PHP does within its range")]
            float.map_or_else(|_| whole.parse().unwrap_or(0), |float| float as i64)
        }
        _ => whole.parse().unwrap_or(0),
    }
}

impl From<Json> for Tree {
    fn from(json: Json) -> Self {
        match json {
            Json::Null => Tree::Null,
            Json::Bool(value) => Tree::Bool(value),
            Json::Number(number) => {
                number.as_i64().map_or_else(|| Tree::Float(number.as_f64().unwrap_or(0.0)), Tree::Int)
            }
            Json::String(text) => Tree::Text(text),
            Json::Array(list) => {
                Tree::array(list.into_iter().enumerate().map(|(at, value)| (at.to_string(), value.into())))
            }
            Json::Object(map) => match map.get(OBJECT) {
                Some(class) => Tree::Object(class.as_str().unwrap_or_default().to_owned()),
                None => Tree::array(map.into_iter().map(|(key, value)| (key, value.into()))),
            },
        }
    }
}

impl From<&str> for Tree {
    fn from(text: &str) -> Self {
        Tree::Text(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_are_phps() {
        for (text, number) in [("90", 90), (" 45s", 45), ("1e2", 100), ("-3.9", -3), ("abc", 0), ("", 0)] {
            assert_eq!(Tree::from(text).int(), Some(number), "{text}");
        }
        assert_eq!(Tree::Bool(true).text().as_deref(), Some("1"));
        assert_eq!(Tree::array([("a", Tree::Null)]).text(), None);
        assert!(!Tree::from("0").is_truthy() && Tree::from("0.0").is_truthy());
    }

    #[test]
    fn a_later_null_wins_and_a_path_to_null_leads_nowhere() {
        let first = Tree::array([("prefix", Tree::from("p_"))]);
        let all = first.merged(&Tree::array([("prefix", Tree::Null)]));
        assert_eq!((all.at("prefix"), all.get("prefix")), (Some(&Tree::Null), None));
    }
}
