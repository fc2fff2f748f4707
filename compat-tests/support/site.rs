//! A queue and a place in which its workers run: a real Laravel application, or, for a framework without one here, a bare
//! directory. Pushes jobs, reads what they left. Never asserts.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::differential::handover;
use super::laravel::App;
use super::process::command;
use super::redis::Redis;
use super::wire::{Made, Wire};
use super::worker_binary;

/// One queue, its Redis and its place.
pub struct Site {
    pub wire: Wire,
    pub redis: Redis,
    home: Home,
}

enum Home {
    App(App),
    Bare(TempDir),
}

impl Site {
    /// An empty queue on a Redis of its own.
    pub fn new(wire: Wire) -> Site {
        let redis = Redis::start();
        let home = match wire {
            Wire::Laravel => {
                let mut app = App::new(&redis);
                app.set_env("REDIS_PREFIX", "");
                Home::App(app)
            }
            _ => {
                let dir = tempfile::Builder::new().prefix("site-").tempdir().expect("a directory");
                fs::create_dir_all(dir.path().join("storage/gates")).expect("a folder");
                Home::Bare(dir)
            }
        };
        Site { wire, redis, home }
    }

    /// Laravel's application.
    #[track_caller]
    pub fn app(&self) -> &App {
        match &self.home {
            Home::App(app) => app,
            Home::Bare(_) => panic!("{:?} has no application here", self.wire),
        }
    }

    /// A worker of ours, one job at a time unless the flags say otherwise.
    pub fn worker(&self, flags: &[&str]) -> Command {
        match &self.home {
            Home::App(app) => handover(app, flags),
            Home::Bare(dir) => {
                let mut command = command(worker_binary());
                command.current_dir(dir).env("FAILED_FILE", FAILED);
                command.args([&format!("--redis={}", self.redis.url(0)), "--sleep=0.01", "--concurrency=1"]);
                command.args(self.wire.flags()).args(flags);
                command
            }
        }
    }

    /// The variable by which [`worker`](Self::worker) is told its `retry_after`.
    pub fn retry_after(&self) -> &'static str {
        match self.home {
            Home::App(_) => "REDIS_QUEUE_RETRY_AFTER",
            Home::Bare(_) => "RETRY_AFTER",
        }
    }

    /// Pushes jobs in their order.
    pub fn push(&self, jobs: impl IntoIterator<Item = Made>) {
        let payloads: Vec<Vec<u8>> = jobs.into_iter().map(|job| self.wire.payload(&job)).collect();
        self.wire.push(&mut self.redis.connect(0), &payloads);
    }

    /// Lets a job that waits for this gate go on.
    pub fn open_gate(&self, name: &str) {
        match &self.home {
            Home::App(app) => app.open_gate(name),
            Home::Bare(dir) => fs::write(dir.path().join("storage/gates").join(name), "").expect("a gate"),
        }
    }

    /// The directory in which workers run.
    pub fn path(&self) -> &Path {
        match &self.home {
            Home::App(app) => app.dir(),
            Home::Bare(dir) => dir.path(),
        }
    }

    /// What user code has done so far, a line each, in order.
    pub fn trace(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path().join("storage/trace.log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// How many trace lines end so.
    pub fn traced(&self, end: &str) -> usize {
        self.trace().iter().filter(|line| line.ends_with(end)).count()
    }

    /// What the failed jobs failed of, oldest first: PHP's words, with the stack.
    pub fn failures(&self) -> Vec<String> {
        self.failed_rows("exception")
    }

    /// The payloads of the failed jobs, oldest first.
    pub fn failed_payloads(&self) -> Vec<String> {
        self.failed_rows("payload")
    }

    fn failed_rows(&self, column: &str) -> Vec<String> {
        let rows: Vec<Value> = match &self.home {
            Home::App(app) => app.failed_rows(),
            Home::Bare(dir) => {
                let text = fs::read_to_string(dir.path().join(FAILED)).unwrap_or_else(|_| "[]".to_owned());
                serde_json::from_str::<Vec<Value>>(&text).expect("failed jobs").into_iter().rev().collect()
            }
        };
        rows.iter().map(|row| row[column].as_str().expect("text").to_owned()).collect()
    }

    /// The jobs that are ready, as they stand.
    pub fn ready(&self) -> Vec<Vec<u8>> {
        self.list(self.wire.ready())
    }

    /// What stands in a list.
    pub fn list(&self, key: &str) -> Vec<Vec<u8>> {
        self.redis.query(&["LRANGE", key, "0", "-1"])
    }

    /// The members of a sorted set of the queue (`delayed`, `reserved`) and their Unix seconds.
    pub fn scores(&self, part: &str) -> BTreeMap<String, f64> {
        self.redis.query(&["ZRANGE", &self.wire.key(part), "0", "-1", "WITHSCORES"])
    }
}

/// Where a worker without an application keeps failed jobs.
const FAILED: &str = "storage/failed.json";
