//! Handover: a queue worker that takes the place of `php artisan queue:work` on the Redis a Laravel app already uses.
//!
//! One job in one breath: **reserve → decode → attempt → outcome → decide → confirm the lease → record → settle →
//! event.** To read the code, read this page, then `worker/attempt.rs` (one job, top to bottom) and
//! `dialect/lua/exchange.lua` (what happens in Redis).
//!
//! The modules in reading order:
//!
//! | module | what it owns |
//! |---|---|
//! | [`php`] | PHP's serialize format: values, the same bytes out as in; serde over them. Knows no queues. |
//! | [`job`] | what a job is, whatever the wire: [`Job`], the envelope, [`Exception`], [`Outcome`], the settlement |
//! | [`dialect`] | one framework's keys, scripts and rules, as data. Does no I/O. |
//! | [`queue`] | verbs on a queue: reserve, settle, renew, push; in Redis and in memory |
//! | [`producer`] | jobs pushed from Rust, in the payloads of the app's version |
//! | [`failed`] | jobs that will not be retried: where they are kept |
//! | [`handler`] | who runs a job: Rust functions and HTTP endpoints by class name, else a pool of PHP processes |
//! | [`control`] | what operators ask for by signals |
//! | [`worker`] | the ledger (the one owner of all reservations), the attempt, the policy (pure), why it stops, what it waits for |
//! | [`telemetry`] | consumers of events: job lines on stdout, log lines on stderr; the worker's health over HTTP |
//! | [`config`] | the only reader of environment, files and the PHP application |
//! | [`doctor`] | what is wrong between the configuration and its Redis, in sentences |
//! | [`events`], [`redis`], [`sql`], [`clock`] | leaves |
//!
//! The rules, as absences: *php never knows queues; dialect never does I/O; policy never reads a clock; a handler never
//! touches the queue's Redis keys; worker never names a framework; nothing but config reads HANDOVER_* or the app; the
//! library never knows the CLI.* A job that fails is a value, never an `Err`.

pub mod php;

pub mod job;

pub mod dialect;
pub mod producer;
pub mod queue;

pub mod failed;
pub mod handler;

pub mod control;
pub mod worker;

pub mod config;
pub mod doctor;
pub mod telemetry;

pub mod clock;
pub mod events;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod memory;
pub mod redis;
pub mod sql;

pub use handler::Context;
pub use job::{Exception, IntoOutcome, Job, Outcome};
pub use producer::{Dispatch, Producer};
pub use queue::MemoryQueue;
pub use worker::{StopReason, Worker, WorkerOptions};

/// The examples of the README are compiled, and run, with the documentation's.
#[cfg(all(doctest, feature = "cli"))]
#[doc = include_str!("../README.md")]
mod readme {}

/// What a handler returns, and `main`: any error becomes an [`Exception`] by `?`.
pub type Result<T, E = Exception> = std::result::Result<T, E>;
