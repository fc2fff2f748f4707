//! What differs between the databases' languages: quotes, placeholders, how a row is inserted and a column read as text.
//!
//! Pure. Every value travels as text, as PDO sends it, and the column's own type reads it.

use super::Driver;

impl Driver {
    /// An identifier in quotes; dots part schema and table, as in Laravel.
    pub fn quoted(self, name: &str) -> String {
        let quote = if self == Driver::Mysql { '`' } else { '"' };
        let quoted = |part: &str| {
            let doubled = part.replace(quote, &format!("{quote}{quote}"));
            format!("{quote}{doubled}{quote}")
        };
        name.split('.').map(quoted).collect::<Vec<_>>().join(".")
    }

    /// A column as text, whatever its type.
    pub fn text_of(self, column: &str) -> String {
        let text = if self == Driver::Mysql { "char" } else { "text" };
        format!("cast({} as {text})", self.quoted(column))
    }

    /// The condition that a column is the value of the n-th placeholder, counted from one. Where the column is text it
    /// can be looked up in its index.
    pub(crate) fn equals(self, column: &str, n: usize) -> String {
        match self {
            // A uuid column is not compared with text by itself; of a text column the cast costs nothing.
            Driver::Postgres => format!("{} = ${n}", self.text_of(column)),
            Driver::Mysql | Driver::Sqlite => format!("{} = ?", self.quoted(column)),
        }
    }

    /// The condition that a column's bytes hold those of the n-th placeholder's value.
    pub(crate) fn contains(self, column: &str, n: usize) -> String {
        match self {
            Driver::Postgres => format!("position(${n} in {}) > 0", self.text_of(column)),
            Driver::Mysql => format!("locate(binary ?, {}) > 0", self.quoted(column)),
            Driver::Sqlite => format!("instr({}, ?) > 0", self.quoted(column)),
        }
    }

    /// Inserts a row; how its values are sent is [`Session::insert`](super::Session::insert)'s business.
    pub(crate) fn insert(self, table: &str, columns: &[&str]) -> String {
        let table = self.quoted(table);
        let names = columns.iter().map(|column| self.quoted(column)).collect::<Vec<_>>().join(", ");
        match self {
            // Text is not assigned to a timestamp or a uuid here; a JSON object of texts is, to any type.
            Driver::Postgres => format!(
                "insert into {table} ({names}) select {names} from json_populate_record(null::{table}, $1::json)"
            ),
            Driver::Mysql | Driver::Sqlite => {
                let values = vec!["?"; columns.len()].join(", ");
                format!("insert into {table} ({names}) values ({values})")
            }
        }
    }

    /// Begins a transaction that may write: SQLite takes its lock at once, or two of them could not both go on.
    pub(crate) fn begin(self) -> &'static str {
        if self == Driver::Sqlite { "begin immediate" } else { "begin" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_quoted_whatever_they_hold() {
        assert_eq!(Driver::Mysql.quoted("a`b"), "`a``b`");
        assert_eq!(Driver::Postgres.quoted("jobs.fail\"ed"), "\"jobs\".\"fail\"\"ed\"");
        assert_eq!(Driver::Sqlite.insert("t", &["a", "b"]), "insert into \"t\" (\"a\", \"b\") values (?, ?)");
    }
}
