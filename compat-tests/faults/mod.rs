//! The promises under attack: what is killed, stopped, cut off, moved or filled up, and what became of every job.

mod acl;
mod addresses;
mod cluster;
mod cuts;
mod equal;
mod fleet;
mod flow;
mod health;
mod readonly;
mod rows;
mod sentinel;
mod storm;
mod taken_over;
mod tls;

use std::process::Command;

use crate::support::process::command;
use crate::support::worker_binary;

/// A worker without an application: its address, and no prefix.
fn worker(url: &str, flags: &[&str]) -> Command {
    let mut command = command(worker_binary());
    command.args([&format!("--redis={url}"), "--prefix=", "--sleep=0.2"]).args(flags);
    command
}
