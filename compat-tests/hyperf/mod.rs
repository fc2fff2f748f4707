//! Hyperf's async-queue: what its real versions wrote and did, and the rows of its table of observable behaviours.
//!
//! The rows that need no Redis stand in `src/dialect/hyperf.rs`, `src/dialect/hyperf/message.rs`, `src/php/model.rs`,
//! `src/worker/policy.rs` and `src/config/dialect.rs`.

mod classes;
mod golden;
mod recorded;
mod rows;
mod running;

use handover::dialect::{Dialect, Hyperf};

/// The dialect of a recorded version, such as `3.1.71`.
fn of(version: &str) -> Dialect {
    let parts: Vec<u32> = version.split('.').map(|part| part.parse().expect("a number")).collect();
    let [major, minor, patch] = parts[..] else { panic!("version {version}") };
    Hyperf::new("").version((major, minor, patch)).into()
}
