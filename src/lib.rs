//! Handover: a queue worker that takes the place of `php artisan queue:work`.

pub mod php;

pub mod job;

pub mod dialect;
pub mod queue;

pub mod failed;
pub mod handler;

pub mod control;
pub mod worker;

pub mod config;
pub mod telemetry;

pub mod clock;
pub mod events;
pub mod redis;

pub use handler::Context;
pub use job::{Exception, IntoOutcome, Job, Outcome};
pub use queue::MemoryQueue;
pub use worker::{StopReason, Worker, WorkerOptions};

/// What a handler returns, and `main`: any error becomes an [`Exception`] by `?`.
pub type Result<T, E = Exception> = std::result::Result<T, E>;
