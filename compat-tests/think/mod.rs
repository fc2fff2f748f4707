//! think-queue: what its real versions wrote and did, and the rows of its table of observable behaviours.
//!
//! The rows that need no Redis stand in `src/dialect/think.rs`, `src/worker/policy.rs` and `src/config/dialect.rs`.

pub mod classes;
mod commands;
mod failed;
mod golden;
mod recorded;
mod restart;
mod rows;
mod screen;
mod shell;

use handover::dialect::{Dialect, Think};

/// The dialect of a recorded version, such as `3.0.9`.
pub fn of(version: &str) -> Dialect {
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().expect("a number")).collect();
    let [major, minor, patch] = parts[..] else { panic!("version {version}") };
    Think::new("").version((major, minor, patch)).into()
}
