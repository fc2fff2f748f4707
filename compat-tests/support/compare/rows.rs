//! Rows of failed_jobs, job_batches and the cache's tables. The number a table gives a row is not compared, its order is.

use std::collections::BTreeSet;

use chrono::NaiveDateTime;
use serde_json::Value;

use super::super::snapshot::Row;
use super::{Exceptions, Judge};

impl Judge<'_> {
    pub(super) fn tables(&self) -> Vec<String> {
        let (a, b) = (&self.expected.after.tables, &self.actual.after.tables);
        let names: BTreeSet<_> = a.keys().chain(b.keys()).collect();
        let none = Vec::new();
        names
            .into_iter()
            .flat_map(|name| self.table(name, a.get(name).unwrap_or(&none), b.get(name).unwrap_or(&none)))
            .collect()
    }

    fn table(&self, name: &str, a: &[Row], b: &[Row]) -> Vec<String> {
        if a.len() != b.len() {
            return vec![format!("{name}: {} rows expected, {} found", a.len(), b.len())];
        }
        let rows = a.iter().zip(b).enumerate();
        let cells =
            rows.flat_map(|(i, (a, b))| a.iter().map(move |(column, cell)| (i, column, cell, b.get(column))));
        cells
            .filter_map(|(i, column, a, b)| {
                let what = self.cell(column, a, b.unwrap_or(&Value::Null))?;
                Some(format!("{name}, row {i}, {column}: {what}"))
            })
            .collect()
    }

    fn cell(&self, column: &str, a: &Value, b: &Value) -> Option<String> {
        if a == b {
            return None;
        }
        let same = match (column, a, b) {
            ("id", Value::Number(_), Value::Number(_)) => true,
            ("uuid" | "id", Value::String(a), Value::String(b)) => self.both_new(a, b),
            ("payload", Value::String(a), Value::String(b)) => {
                return self.payload(a.as_bytes(), b.as_bytes());
            }
            ("exception", Value::String(a), Value::String(b)) => {
                self.exceptions == Exceptions::Ignored || headline(a) == headline(b)
            }
            ("value" | "owner", Value::String(a), Value::String(b)) => {
                return self.text(a.as_bytes(), b.as_bytes());
            }
            (column, a, b) if column == "expiration" || column.ends_with("_at") => {
                match (moment(a), moment(b)) {
                    (Some(a), Some(b)) => self.same_time(a, b),
                    _ => false,
                }
            }
            _ => false,
        };
        (!same).then(|| format!("{a} expected, {b} found"))
    }
}

/// `Class: message` of an exception's text, without ` in file:line` and the stack.
fn headline(text: &str) -> &str {
    let head = text.split("\nStack trace:").next().unwrap_or(text);
    match head.rsplit_once(" in ") {
        Some((headline, place))
            if place.rsplit_once(':').is_some_and(|(_, line)| line.parse::<u32>().is_ok()) =>
        {
            headline
        }
        _ => head,
    }
}

/// Seconds of a timestamp column. Its time zone is the same on both sides, so it falls out of any comparison.
fn moment(cell: &Value) -> Option<f64> {
    let text = match cell {
        Value::Number(seconds) => return seconds.as_f64(),
        cell => cell.as_str()?,
    };
    let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?;
    Some(time.and_utc().timestamp() as f64)
}
