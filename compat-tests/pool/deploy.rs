//! A deploy beneath a running pool: the symlink moves, the old release goes, `queue:restart` is run.
//! Never a crash: those are in `faults.rs`.

use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::support::process::command;

/// Traces the release that it is read from.
const TELLS: &str = r"<?php
namespace App\Jobs;

class Tells extends Job
{
    public function handle(): void
    {
        usleep(10_000);
        $this->ran('in RELEASE');
    }
}
";

/// Release directories beside each other, the storage and the database of one app in all of them.
struct Site {
    dir: TempDir,
    app: App,
}

impl Site {
    fn new(redis: &Redis) -> Site {
        let mut app = App::new(redis);
        let database = app.path("database/database.sqlite").display().to_string();
        app.set_env("DB_DATABASE", &database);
        app.set_env("CACHE_DRIVER", "redis");
        let site = Site { dir: tempfile::tempdir().expect("a directory"), app };
        site.release("r1", "");
        site.make_current("r1");
        site
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A new release; more of `.env` where given.
    fn release(&self, name: &str, env: &str) {
        let root = self.path(name);
        std::fs::create_dir(&root).expect("a release");
        for part in ["app", "artisan", "bootstrap", "config", ".env"] {
            let mut copy = command("cp");
            copy.arg("-a").arg(self.app.path(part)).arg(&root);
            run(copy);
        }
        symlink(self.app.path("storage"), root.join("storage")).expect("the shared storage");
        let settings = std::fs::read_to_string(root.join(".env")).expect("settings");
        std::fs::write(root.join(".env"), format!("{settings}{env}")).expect("settings");
        std::fs::write(root.join("app/Jobs/Tells.php"), TELLS.replace("RELEASE", name)).expect("a class");
    }

    /// Moves `current` to a release, at once.
    fn make_current(&self, name: &str) {
        symlink(name, self.path("next")).expect("a symlink");
        std::fs::rename(self.path("next"), self.path("current")).expect("a move");
    }

    fn artisan(&self, release: &str, words: &[&str]) {
        let mut artisan = command("php");
        artisan.arg("artisan").args(words).current_dir(self.path(release));
        run(artisan);
    }

    /// A worker with three children on whatever is current.
    fn worker(&self) -> Running {
        let mut worker = command(env!("CARGO_BIN_EXE_handover"));
        worker.args(["queue:work", "--sleep=0.01", "--php=3", "--app"]).arg(self.path("current"));
        worker.current_dir("/").env("RUST_LOG", "debug");
        Running::start(worker)
    }
}

#[track_caller]
fn run(command: Command) {
    let end = Running::start(command).finish();
    assert_eq!(end.code, 0, "{}{}", end.stdout, end.stderr);
}

/// Keeps a few jobs waiting until the condition holds.
#[track_caller]
fn flow_until(redis: &Redis, app: &App, what: &str, mut condition: impl FnMut() -> bool) {
    let (stock, ready) = (app.key("queues:stock"), app.key("queues:default"));
    wait_until(what, || {
        for _ in length(redis, "LLEN", &ready)..6 {
            let moved: Option<Vec<u8>> = redis.query(&["LMOVE", &stock, &ready, "LEFT", "RIGHT"]);
            assert!(moved.is_some(), "the stock is used up");
            let _: usize = redis.query(&["RPUSH", &format!("{ready}:notify"), "1"]);
        }
        condition()
    });
}

#[test]
fn a_deploy_under_load_fails_no_job_and_leaves_no_gap() {
    const STOCK: usize = 10_000;
    let redis = Redis::start();
    let site = Site::new(&redis);
    let app = &site.app;
    let specs = json!([{"job": "Tells", "args": ["t-%i"], "count": STOCK, "queue": "stock"}]);
    site.artisan("r1", &["app:push", &specs.to_string()]);
    let worker = site.worker();
    let told = |release: &str| app.trace().iter().filter(|line| line.ends_with(release)).count();
    wait_until_up(&worker, 3);
    flow_until(&redis, app, "old code to run", || told("in r1") >= 30);

    // Each step while jobs flow.
    std::thread::scope(|scope| {
        let deploy = scope.spawn(|| {
            site.release("r2", "");
            site.make_current("r2");
            std::fs::remove_dir_all(site.path("r1")).expect("the old release goes");
            site.artisan("r2", &["queue:restart"]);
        });
        flow_until(&redis, app, "the deploy", || deploy.is_finished());
        deploy.join().expect("a deploy");
    });
    flow_until(&redis, app, "three renewals", || ended(&worker.stderr()).len() == 3);
    let renewed = app.trace().len();
    flow_until(&redis, app, "new code to run", || app.trace().len() >= renewed + 30);
    wait_until("the last jobs to be settled", || is_settled(&redis, app, &["default"]));
    // The worker's own end takes children down as well: only what was before counts.
    let log = worker.stderr();
    stop(worker);

    assert_eq!(readied(&log).len(), 6, "{log}");
    assert!(up_since(&log, 3).iter().all(|up| *up >= 3), "{log}");
    assert_eq!(app.failed_rows().len(), 0);
    let trace = app.trace();
    let taken = STOCK - length(&redis, "LLEN", &app.key("queues:stock"));
    let flowed: BTreeSet<String> = (0..taken).map(|n| format!("t-{n}")).collect();
    let ran: BTreeSet<String> =
        trace.iter().filter_map(|line| Some(line.split(' ').nth(1)?.to_owned())).collect();
    assert_eq!(ran, flowed);
    assert_eq!(trace.len(), taken, "each once");
    assert!(trace.iter().all(|line| line.contains(" attempt 1 in r")), "no attempt was spent for nothing");
    assert!(trace[renewed..].iter().all(|line| line.ends_with("in r2")), "after the renewal new code alone");
}

#[test]
fn a_deploy_that_changes_the_workers_own_settings_ends_it_in_order() {
    // The prefix is the cache's, too: of a signal under the new one no old process hears, in stock Laravel either.
    for (setting, signalled_from) in
        [("REDIS_QUEUE_RETRY_AFTER=120\n", "r2"), ("REDIS_DB=2\n", "r2"), ("REDIS_PREFIX=other_\n", "r1")]
    {
        let redis = Redis::start();
        let site = Site::new(&redis);
        let app = &site.app;
        let worker = site.worker();
        app.push(&json!([{"job": "WaitsForGate", "args": ["g"]}]));
        app.wait_for_trace("WaitsForGate g attempt 1 waits");
        wait_until_up(&worker, 3);
        site.release("r2", setting);
        site.make_current("r2");
        site.artisan(signalled_from, &["queue:restart"]);
        // A job runs meanwhile: it is waited for.
        wait_for_log(&worker, "taking no more jobs, waiting for 1 that run");
        app.push(&json!([{"job": "Succeed", "args": ["left"]}]));
        app.open_gate("g");
        let end = worker.finish();
        assert_eq!(end.code, 0, "{setting}: {}", end.stderr);
        assert!(end.stderr.contains("stopping: restart_signal"), "{setting}: {}", end.stderr);
        let ran = ["WaitsForGate g attempt 1 waits", "WaitsForGate g attempt 1 passes"];
        assert_eq!(app.trace(), ran, "{setting}");
        assert_eq!(length(&redis, "LLEN", &app.key("queues:default")), 1, "{setting}");
        assert_eq!(app.failed_rows().len(), 0, "{setting}");
    }
}
