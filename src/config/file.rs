//! `handover.toml`: the options of `queue:work` under their own names, at the top or in a `[work]` table.
//!
//! Unknown names are errors that name the nearest known one; values are left as text, to be judged like a flag's. Never
//! shows a value. Counterpart in PHP: none.

use std::path::Path;

use toml::{Table, Value};

use super::Error;
use super::low::{Known, Low, OPTIONS, known_names};

/// Its name in the app's directory.
pub(super) const NAME: &str = "handover.toml";

/// The options whose value is a path, relative to the file that names it.
const PATHS: [&str; 1] = ["app"];

/// Other tables that the file may hold, each with the part of the program that reads it.
#[cfg(feature = "http")]
const TABLES: [&str; 1] = ["http"];
#[cfg(not(feature = "http"))]
const TABLES: [&str; 0] = [];

/// Puts the file's options behind flags and variables; answers the whole, for who reads the other tables.
pub(super) fn read_into(low: &mut Low, path: &Path) -> Result<Table, Error> {
    let odd = |what: String| Error::OddFile { path: path.to_owned(), what };
    let text = std::fs::read_to_string(path).map_err(|error| odd(format!("cannot be read: {error}")))?;
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().map_or("", |span| &text[..span.start.min(text.len())]);
        let line = before.matches('\n').count() + 1;
        // A parser's message quotes the line, which may hold a secret; only its first sentence is fit to be shown.
        odd(format!("is no TOML: line {line}: {}", error.message().lines().next().unwrap_or_default()))
    })?;
    for (name, value) in &table {
        match value {
            Value::Table(work) if name == "work" => {
                for (name, value) in work {
                    if table.contains_key(name) {
                        return Err(odd(format!(
                            "names [{name}] twice, at the top and in [work]; leave one."
                        )));
                    }
                    put(low, path, name, value)?;
                }
            }
            _ if TABLES.contains(&name.as_str()) => {}
            value => put(low, path, name, value)?,
        }
    }
    Ok(table)
}

fn put(low: &mut Low, path: &Path, name: &str, value: &Value) -> Result<(), Error> {
    let odd = |what: String| Error::OddFile { path: path.to_owned(), what };
    let known: Vec<&str> = known_names().filter(|known| *known != "config").collect();
    if !known.contains(&name) {
        let near = nearest(name, known.into_iter().chain(["work"]).chain(TABLES));
        return Err(odd(format!("names [{name}], which is no option; the nearest one is [{near}].")));
    }
    let known = OPTIONS.iter().find(|option| option.name == name);
    let is_switch = known.is_some_and(|option| option.value.is_none() || option.name == "php");
    let repeats = known.is_some_and(Known::may_repeat);
    let is_list = repeats || matches!(name, "queue" | "backoff" | "delay");
    let text = match value {
        Value::Boolean(_) if !is_switch => None,
        Value::Array(_) if !is_list => None,
        Value::Array(list) => {
            let parts = list.iter().map(plain).collect::<Option<Vec<String>>>();
            parts.map(|parts| parts.join(if repeats { " " } else { "," }))
        }
        value => plain(value),
    };
    let text = text.ok_or_else(|| {
        odd(format!(
            "gives [{name}] {}; {} is taken.",
            article(value.type_str()),
            if is_switch {
                "true or false"
            } else if is_list {
                "a text or a list"
            } else {
                "a text or a number"
            }
        ))
    })?;
    let text = match path.parent() {
        Some(folder) if PATHS.contains(&name) => folder.join(text).display().to_string(),
        _ => text,
    };
    low.file(name, text, path);
    Ok(())
}

fn plain(value: &Value) -> Option<String> {
    Some(match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Boolean(true) => "1".to_owned(),
        Value::Boolean(false) => "0".to_owned(),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => return None,
    })
}

fn article(kind: &str) -> String {
    if kind.starts_with(['a', 'i']) { format!("an {kind}") } else { format!("a {kind}") }
}

/// The name that takes the fewest changed letters.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> &'a str {
    let plain = name.to_lowercase().replace('_', "-");
    known.min_by_key(|known| distance(&plain, known)).unwrap_or_default()
}

/// Letters to add, drop or change.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let changed = corner + usize::from(a != *b);
            corner = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(corner + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Low, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(NAME);
        std::fs::write(&path, text).unwrap();
        let mut low = Low::default();
        low.flag("tries", "7");
        read_into(&mut low, &path).map_err(|error| error.to_string())?;
        Ok(low)
    }

    #[test]
    fn options_are_read_at_the_top_and_in_the_work_table_and_a_flag_goes_before() {
        let text = "queue = ['high', 'default']\ntries = 3\njson = true\n[work]\nsleep = 0.5\nforce = false\n\
                    backoff = [1, 5]";
        let low = read(text).unwrap();
        let get = |name| low.get(name).unwrap();
        assert_eq!(
            (get("queue"), get("tries"), get("sleep"), get("backoff")),
            ("high,default", "7", "0.5", "1,5")
        );
        assert!(low.is_on("json") && !low.is_on("force"));
        assert!(low.source("sleep").unwrap().to_string().ends_with("handover.toml"));
    }

    #[test]
    fn what_is_no_option_is_told_with_the_nearest_and_no_value_is_shown() {
        for (text, told) in [
            ("trys = 3", "names [trys], which is no option; the nearest one is [tries]"),
            ("[work]\nmax_jobs = 3", "[max_jobs], which is no option; the nearest one is [max-jobs]"),
            ("[wrok]\ntries = 3", "[wrok], which is no option; the nearest one is [work]"),
            ("redis = {url = 'secret'}", "gives [redis] a table; a text"),
            ("queue = 'a'\nredis = secret", "line 2"),
            ("tries = 1\n[work]\ntries = 2", "names [tries] twice"),
            ("config = 'other.toml'", "[config], which is no option"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(told) && !error.contains("secret"), "{text}: {error}");
        }
    }
}
