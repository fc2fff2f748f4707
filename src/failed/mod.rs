//! Jobs that will not be retried: where they are kept, with the reason.
//!
//! Owns the record and the stores. Never touches a queue: the worker records first and removes afterwards, so a crash
//! between the two leaves a job in both places, never in none.
//! Counterpart in PHP: `Illuminate\Queue\Failed\FailedJobProviderInterface`.

use bytes::Bytes;

use crate::queue::BoxFuture;

/// One failed job, in the shape of Laravel's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedJob {
    /// The payload's uuid; for a payload without one, a uuid made from its bytes, so that recording twice is one row.
    pub uuid: String,
    /// The queue connection's name.
    pub connection: String,
    /// The queue as polled, without prefix.
    pub queue: String,
    /// The bytes as they were popped: `attempts` is the count before the failing attempt.
    pub payload: Bytes,
    /// PHP's string form of the exception.
    pub exception: String,
    /// When it failed, in Unix seconds.
    pub failed_at: i64,
}

/// Keeps failed jobs.
pub trait FailedJobStore: Send + Sync + 'static {
    /// Keeps a job; one with the same uuid is replaced (`queue:retry` pushes before it deletes the row).
    fn record<'a>(&'a self, job: &'a FailedJob) -> BoxFuture<'a, Result<(), Error>>;

    /// Takes a record back: the removal that followed it found that the job was no longer ours to fail.
    fn withdraw<'a>(&'a self, uuid: &'a str) -> BoxFuture<'a, Result<(), Error>>;

    /// All failed jobs, the newest first.
    fn list(&self) -> BoxFuture<'_, Result<Vec<FailedJob>, Error>>;
}

/// Why a failed job could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);
