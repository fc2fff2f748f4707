//! Which rows of users and the like stood beside a recorded scenario: those its jobs name, save the ones that a failed
//! job called missing. The recordings do not show these tables. Never reads an encrypted job.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::snapshot::{Snapshot, Stored};

/// How PHP serializes the place of a model.
const IDENTIFIER: &str = r#""Illuminate\Contracts\Database\ModelIdentifier":"#;

/// The class and the id of models.
#[derive(Clone, Default)]
pub struct Models {
    here: BTreeSet<(String, String)>,
}

impl Models {
    /// From all states of a scenario.
    pub fn of(states: &[Snapshot]) -> Models {
        let mut here = BTreeSet::new();
        let mut gone = BTreeSet::new();
        for state in states {
            for key in state.keys.values() {
                match &key.value {
                    Stored::List(items) => items.iter().for_each(|item| here.extend(named_by(item))),
                    Stored::Zset(members) => members.iter().for_each(|(item, _)| here.extend(named_by(item))),
                    _ => {}
                }
            }
            for row in state.tables.get("failed_jobs").into_iter().flatten() {
                let column = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
                let named = named_by(column("payload").as_bytes());
                let missing = |class: &str| {
                    column("exception").starts_with(r"Illuminate\Database\Eloquent\ModelNotFoundException: ")
                        && column("exception").contains(&format!("[{class}]"))
                };
                gone.extend(named.iter().filter(|(class, _)| missing(class)).cloned());
                here.extend(named);
            }
        }
        Models { here: here.difference(&gone).cloned().collect() }
    }

    /// SQL that leaves exactly these rows in tables named as Eloquent names them.
    pub fn statements(&self) -> Vec<String> {
        let orders =
            "CREATE TABLE IF NOT EXISTS orders (id PRIMARY KEY NOT NULL, name VARCHAR, user_id INTEGER)";
        let mut statements = vec!["DELETE FROM users".to_owned(), orders.to_owned()];
        for (class, id) in &self.here {
            let table = format!("{}s", class.rsplit('\\').next().unwrap_or(class).to_lowercase());
            if ["users", "orders"].contains(&table.as_str()) {
                let id = id.replace('\'', "''");
                statements.push(format!("INSERT INTO {table} (id, name) VALUES ('{id}', '{table} {id}')"));
            }
        }
        statements
    }
}

/// The models that a payload's command names, those of its chained jobs, too.
fn named_by(payload: &[u8]) -> Vec<(String, String)> {
    let Ok(payload) = serde_json::from_slice::<Value>(payload) else { return Vec::new() };
    let command = payload["data"]["command"].as_str().unwrap_or_default();
    command.split(IDENTIFIER).skip(1).filter_map(identifier).flatten().collect()
}

/// Reads `4:{s:5:"class";s:15:"App\Models\User";s:2:"id";i:1;...`, where the id may be a text or a list of ids.
fn identifier(text: &str) -> Option<Vec<(String, String)>> {
    let (_, rest) = text.split_once(r#"s:5:"class";s:"#)?;
    let (class, rest) = rest.split_once(":\"")?.1.split_once(r#"";s:2:"id";"#)?;
    let list = rest.strip_prefix("a:").and_then(|rest| rest.split_once('{')?.1.split_once('}'));
    let ids: Vec<&str> = match list {
        // Each key of the list stands before its id.
        Some((list, _)) => list.split_terminator(';').skip(1).step_by(2).collect(),
        None => rest.split(';').take(1).collect(),
    };
    let scalar = |id: &str| match id.strip_prefix("i:") {
        Some(number) => Some(number.to_owned()),
        None => Some(id.strip_prefix("s:")?.split_once(":\"")?.1.strip_suffix('"')?.to_owned()),
    };
    Some(ids.into_iter().filter_map(scalar).map(|id| (class.to_owned(), id)).collect())
}

#[test]
fn ids_are_read_from_commands() {
    let one = r#"4:{s:5:"class";s:15:"App\Models\User";s:2:"id";i:7;s:9:"relations";a:0:{}}"#;
    let many = r#"4:{s:5:"class";s:16:"App\Models\Order";s:2:"id";a:2:{i:0;s:1:"a";i:1;i:2;}s:9:"relations";a:0:{}}"#;
    let command =
        format!("O:1:\"J\":2:{{s:1:\"u\";O:45:{IDENTIFIER}{one}s:1:\"o\";O:45:{IDENTIFIER}{many}}}");
    let payload = serde_json::json!({"data": {"command": command}}).to_string();
    let pair = |class: &str, id: &str| (format!(r"App\Models\{class}"), id.to_owned());
    assert_eq!(named_by(payload.as_bytes()), [pair("User", "7"), pair("Order", "a"), pair("Order", "2")]);
}
