//! What a job is, whatever the wire: the envelope, the exception, the outcome of an attempt and what we do about it.
//!
//! Owns values only: nothing in here talks to Redis, reads a clock or decides a retry.
//! Counterpart in PHP: `Illuminate\Queue\Jobs\Job`, `Illuminate\Queue\Jobs\JobName`.

mod command;
mod envelope;
mod exception;
mod outcome;

use std::sync::Arc;

pub use command::Command;
pub use envelope::{Payload, PayloadError};
pub use exception::Exception;
pub use outcome::{Interrupted, IntoOutcome, Outcome, Settlement};

/// One attempt's view of a job: what a handler sees.
#[derive(Clone, Debug)]
pub struct Job {
    /// The connection's name in the app's `config/queue.php`, as written into `failed_jobs.connection`.
    pub connection: Arc<str>,
    /// The queue's name as the worker polls it: no prefix, no `queues:`.
    pub queue: Arc<str>,
    /// The number of this attempt, 1 for the first: the raw body's `attempts` plus one.
    pub attempts: i64,
    /// The envelope, with the bytes it was read from.
    pub payload: Payload,
}

impl Job {
    /// The name artisan shows: a non-empty `displayName`, else `job` (`Illuminate\Queue\Jobs\Job::resolveName`).
    pub fn name(&self) -> &str {
        self.payload.name()
    }
}
