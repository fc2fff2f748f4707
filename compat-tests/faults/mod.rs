//! The promises under attack: what is killed, stopped, cut off, moved or filled up, and what became of every job.

mod acl;
mod addresses;
mod apart;
mod beside;
mod between;
mod clock;
mod cluster;
mod connections;
mod cuts;
mod due;
mod equal;
mod fleet;
mod flow;
mod flushed;
mod full;
mod health;
mod killed;
mod leaving;
mod readonly;
mod restarted;
pub mod rows;
mod sentinel;
mod stopped;
mod store;
mod storm;
mod taken_over;
mod tls;

use std::process::Command;

use crate::support::laravel::App;
use crate::support::process::{Running, command};
use crate::support::redis::Redis;
use crate::support::worker_binary;

/// A worker without an application: its address, and no prefix.
fn worker(url: &str, flags: &[&str]) -> Command {
    let mut command = command(worker_binary());
    command.args([&format!("--redis={url}"), "--prefix=", "--sleep=0.2"]).args(flags);
    command
}

/// Ends a worker in order; what it said.
#[track_caller]
fn stop(worker: Running) -> String {
    worker.signal("TERM");
    let end = worker.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert!(!end.stderr.contains("dropped unsettled"), "{}", end.stderr);
    end.stderr
}

/// How often a worker has said this.
fn told(worker: &Running, said: &str) -> usize {
    worker.stderr().matches(said).count()
}

/// How many trace lines end so.
fn traced(app: &App, end: &str) -> usize {
    app.trace().iter().filter(|line| line.ends_with(end)).count()
}

fn length(redis: &Redis, command: &str, key: &str) -> usize {
    redis.query(&[command, key])
}
