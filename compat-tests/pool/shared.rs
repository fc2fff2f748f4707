//! The pool and stock PHP workers at one app's work: chains and batches that both carry on.
//! Never a fault: those are in `faults.rs`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::support::differential::php;

#[test]
fn a_chain_goes_to_and_fro_between_php_and_the_pool() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let member = |n: usize| {
        let queue = if n.is_multiple_of(2) { "php" } else { "pool" };
        json!({"job": "Succeed", "args": [format!("c-{n}")], "queue": queue})
    };
    let mut first = member(0);
    first["chain"] = (1..6).map(member).collect();
    app.push(&Value::Array(vec![first]));
    let stock = Running::start(php(&app, &["--queue=php"]));
    let pool = start(&app, 2, &["--queue=pool"]);
    wait_until("the chain's end", || app.trace().len() >= 6 && is_settled(&redis, &app, &["php", "pool"]));
    stop(pool);
    stop(stock);
    assert_eq!(app.trace(), [0, 1, 2, 3, 4, 5].map(|n| format!("Succeed c-{n} attempt 1")));
    assert_eq!(app.failed_rows().len(), 0);
}

/// SQLite gives up at once where two transactions that have read want to write; one that says at its beginning that it
/// will write waits.
const PATIENT_DATABASE: &str = r#"<?php
namespace App;

class PatientDatabase extends \Illuminate\Support\ServiceProvider
{
    public function register()
    {
        $this->app->bind('db.connector.sqlite', fn () => new class extends \Illuminate\Database\Connectors\SQLiteConnector {
            protected function createPdoConnection($dsn, $username, $password, $options)
            {
                return new class($dsn, $username, $password, $options) extends \PDO {
                    private bool $within = false;

                    public function beginTransaction(): bool
                    {
                        return $this->within = $this->exec('BEGIN IMMEDIATE') !== false;
                    }

                    public function commit(): bool
                    {
                        $this->within = false;

                        return $this->exec('COMMIT') !== false;
                    }

                    public function rollBack(): bool
                    {
                        $this->within = false;

                        return $this->exec('ROLLBACK') !== false;
                    }

                    public function inTransaction(): bool
                    {
                        return $this->within;
                    }
                };
            }
        });
    }
}
"#;

#[test]
fn a_batch_is_counted_exactly_by_two_php_workers_and_the_pool() {
    let redis = Redis::start();
    let mut app = App::new(&redis);
    app.set_file("app/PatientDatabase.php", PATIENT_DATABASE);
    app.set_env("APP_PROVIDERS", "App\\\\PatientDatabase");
    let jobs: Vec<Value> = (0..300).map(|n| json!({"job": "Succeed", "args": [format!("b-{n}")]})).collect();
    app.push(&json!([{"batch": jobs, "name": "b", "then": "then", "finally": "finally"}]));
    let pool = start(&app, 3, &[]);
    let stock = [0, 1].map(|_| Running::start(php(&app, &[])));
    wait_until("the batch's end", || is_settled(&redis, &app, &["default"]));
    let log = stop(pool);
    stock.into_iter().for_each(|worker| drop(stop(worker)));

    let expected: BTreeSet<String> = (0..300).map(|n| format!("Succeed b-{n}")).collect();
    let trace = app.trace();
    assert_eq!(Account::of(&trace, &expected), Account::default(), "{log}");
    assert_eq!(trace.len(), 302, "{trace:?}");
    assert_eq!(trace[300..], ["then", "finally"]);
    let batches = app.sql("SELECT * FROM job_batches");
    assert_eq!(batches.len(), 1);
    let counts = ["total_jobs", "pending_jobs", "failed_jobs"].map(|count| batches[0][count].clone());
    assert_eq!(counts, [json!(300), json!(0), json!(0)]);
    assert!(batches[0]["finished_at"].is_number(), "{}", batches[0]);
    assert_eq!(app.failed_rows().len(), 0);
}
