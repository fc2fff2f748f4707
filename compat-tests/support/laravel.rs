//! A copy of the fixture application in a directory of its own, tied to one Redis: push jobs, run artisan, run PHP
//! workers, read what they left. Settings go into `.env`, where any worker finds them. Never asserts.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use super::process::{Finished, Running, command, wait_until};
use super::redis::Redis;
use super::{copy_tree, fixtures};

/// A Laravel application on its own Redis.
pub struct App {
    dir: TempDir,
    env: BTreeMap<String, String>,
}

impl App {
    /// A fresh application with empty tables.
    pub fn new(redis: &Redis) -> App {
        let app = App::copy_of(&fixtures().join("laravel"), BTreeMap::new(), redis);
        fs::write(app.path("database/database.sqlite"), empty_database()).expect("a database");
        app
    }

    /// The same application once more, files and database included, on another Redis.
    pub fn twin(&self, redis: &Redis) -> App {
        App::copy_of(self.dir.path(), self.env.clone(), redis)
    }

    /// A fresh application with another `app/` folder in place of the fixture's own. Console commands it brings are not
    /// registered.
    pub fn with_classes(classes: &Path, redis: &Redis) -> App {
        let app = App::new(redis);
        fs::remove_dir_all(app.path("app")).expect("the fixture's classes");
        copy_tree(classes, &app.path("app"));
        let kernel = app.path("app/Console/Kernel.php");
        let _ = fs::remove_file(&kernel);
        app.set_file(
            "app/Console/Kernel.php",
            "<?php\nnamespace App\\Console;\nclass Kernel extends \\Illuminate\\Foundation\\Console\\Kernel {}\n",
        );
        app
    }

    fn copy_of(source: &Path, env: BTreeMap<String, String>, redis: &Redis) -> App {
        let dir = tempfile::Builder::new().prefix("laravel-").tempdir().expect("a directory");
        copy_tree(source, dir.path());
        let mut app = App { dir, env };
        app.set_env("APP_NAME", "Fixture App");
        app.set_env("APP_KEY", "base64:Zml4dHVyZS1rZXktZml4dHVyZS1rZXktZml4dHVyZS0=");
        app.set_env("REDIS_HOST", &redis.socket().display().to_string());
        app.set_env("REDIS_PORT", "0");
        app
    }

    /// Sets a variable in `.env`.
    pub fn set_env(&mut self, name: &str, value: &str) {
        self.env.insert(name.to_owned(), value.to_owned());
        let lines = self.env.iter().map(|(name, value)| format!("{name}=\"{value}\"\n"));
        self.set_file(".env", &lines.collect::<String>());
    }

    /// The application's directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// A path within the application.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.dir.path().join(relative)
    }

    /// Writes a file of the application, such as `storage/framework/down`.
    pub fn set_file(&self, relative: &str, content: &str) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    /// Lets the jobs `WaitsForGate` of this name go on.
    pub fn open_gate(&self, name: &str) {
        self.set_file(&format!("storage/gates/{name}"), "");
    }

    /// The full Redis key: `key("queues:default")`.
    pub fn key(&self, name: &str) -> String {
        let prefix = self.env.get("REDIS_PREFIX").map_or("fixture_app_database_", String::as_str);
        format!("{prefix}{name}")
    }

    /// Pushes what a JSON list names; its form is described in `app/Console/Push.php`.
    #[track_caller]
    pub fn push(&self, specs: &Value) {
        let done = self.artisan(&["app:push", &specs.to_string()]);
        assert_eq!(done.code, 0, "app:push {specs}: {}{}", done.stdout, done.stderr);
    }

    /// Runs an artisan command to its end.
    pub fn artisan(&self, args: &[&str]) -> Finished {
        Running::start(self.php(args)).finish()
    }

    /// Runs a PHP worker to its end: give it `--once`, `--max-jobs` or `--stop-when-empty`.
    pub fn queue_work(&self, flags: &[&str]) -> Finished {
        self.start_worker(flags).finish()
    }

    /// Starts a PHP worker in the background. Between empty polls it sleeps next to nothing.
    pub fn start_worker(&self, flags: &[&str]) -> Running {
        Running::start(self.php(&[&["queue:work", "--sleep=0.01"], flags].concat()))
    }

    /// The command line `php artisan ...`, for [`Running::start`].
    pub fn php(&self, args: &[&str]) -> Command {
        let mut php = self.command("php");
        php.arg("artisan").args(args);
        php
    }

    /// Any program, started in the application's directory.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = command(program);
        command.current_dir(self.dir.path());
        command
    }

    /// What user code has done so far, a line each, in order.
    pub fn trace(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("storage/trace.log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits until user code has written this line.
    #[track_caller]
    pub fn wait_for_trace(&self, line: &str) {
        wait_until(&format!("the trace line {line:?}"), || self.trace().iter().any(|had| had == line));
    }

    /// Rows of the application's database, each a JSON object.
    pub fn sql(&self, statement: &str) -> Vec<Value> {
        let mut results = self.sql_each(&[statement.to_owned()]);
        match results.pop() {
            Some(Value::Array(rows)) => rows,
            _ => Vec::new(),
        }
    }

    /// Several statements in turn: the rows of each SELECT, a number for anything else.
    pub fn sql_each(&self, statements: &[String]) -> Vec<Value> {
        sqlite(&self.path("database/database.sqlite"), statements)
    }

    /// The failed jobs, oldest first.
    pub fn failed_rows(&self) -> Vec<Value> {
        self.sql("SELECT * FROM failed_jobs ORDER BY id")
    }
}

/// The bytes of a database with the fixture's tables; PHP makes it once.
fn empty_database() -> &'static [u8] {
    static BYTES: OnceLock<Vec<u8>> = OnceLock::new();
    BYTES.get_or_init(|| {
        let dir = TempDir::new().expect("a directory");
        let file = dir.path().join("database.sqlite");
        sqlite(
            &file,
            &[fs::read_to_string(fixtures().join("laravel/database/schema.sql")).expect("the schema")],
        );
        fs::read(file).expect("the database")
    })
}

#[track_caller]
fn sqlite(database: &Path, statements: &[String]) -> Vec<Value> {
    let mut php = command("php");
    php.arg(fixtures().join("sqlite.php")).arg(database).args(statements);
    let done = Running::start(php).finish();
    assert_eq!(done.code, 0, "sqlite.php: {}{}", done.stdout, done.stderr);
    serde_json::from_str(&done.stdout).expect("JSON from sqlite.php")
}
