//! Jobs to an endpoint: the plain binary with `--http`, a real Laravel that pushes, and an endpoint that answers as the
//! test says.

mod answers;
mod delivery;
mod endpoint;
mod faults;
mod signatures;

use std::process::Command;

use serde_json::{Value, json};

use crate::support::laravel::App;

/// What every test here signs with.
const SECRET: &str = "whsec_aGFuZG92ZXItaGFuZG92ZXItaGFuZG92ZXI=";

/// The plain binary, every class below `App\Jobs` sent to this URL.
fn forward(app: &App, url: &str, flags: &[&str]) -> Command {
    let mut command = app.command(env!("CARGO_BIN_EXE_handover"));
    command.args(["queue:work", "--sleep=0.01", &format!("--http=App\\Jobs\\*={url}")]).args(flags);
    command.env("HANDOVER_HTTP_SECRET", SECRET);
    command
}

/// A job that is only told by its name.
fn named(name: &str, with: Value) -> Value {
    json!({"job": "Succeed", "args": [name], "with": with})
}

/// The name of the fixture job in a payload.
fn name_in(payload: &str) -> String {
    let payload: Value = serde_json::from_str(payload).expect("a payload");
    let command = payload["data"]["command"].as_str().expect("a command").to_owned();
    let value = handover::php::parse(command.as_bytes()).expect("PHP's bytes");
    value.get("name").and_then(|name| name.as_str()).unwrap_or_default().to_owned()
}

/// The exceptions of the failed jobs by the jobs' names, each up to its place in the code.
fn failures(app: &App) -> std::collections::BTreeMap<String, String> {
    let reason = |row: &Value| {
        let exception = row["exception"].as_str().expect("an exception");
        exception
            .split(" in ")
            .next()
            .unwrap_or_default()
            .split(" in src/")
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    app.failed_rows()
        .iter()
        .map(|row| (name_in(row["payload"].as_str().expect("a payload")), reason(row)))
        .collect()
}
