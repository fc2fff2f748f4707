//! Jobs that will not be retried: where they are kept, with the reason.
//!
//! Owns the record and the stores. Never touches a queue: the worker records first and removes afterwards, so a crash
//! between the two leaves a job in both places, never in none.
//! Counterpart in PHP: `Illuminate\Queue\Failed\FailedJobProviderInterface`.

#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod database;
mod file;
mod null;

use bytes::Bytes;
use uuid::Uuid;

#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub use database::{DatabaseStore, FailedRow};
pub use file::{CacheLock, FileStore};
pub use null::NullStore;

use crate::job::Payload;
use crate::queue::BoxFuture;

/// One failed job, in the shape of Laravel's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedJob {
    /// The payload's uuid, so that recording twice is one row; for a payload without one a uuid of this very record, for
    /// equal payloads are jobs of their own.
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

impl FailedJob {
    /// The record of a job that failed at this Unix second.
    pub fn new(connection: &str, queue: &str, payload: &Payload, exception: String, failed_at: i64) -> Self {
        FailedJob {
            uuid: Self::uuid_of(payload),
            connection: connection.to_owned(),
            queue: queue.to_owned(),
            payload: payload.raw().clone(),
            exception,
            failed_at,
        }
    }

    fn uuid_of(payload: &Payload) -> String {
        own_uuid(payload).unwrap_or_else(|| Uuid::new_v4().to_string())
    }

    /// The payload itself names the job.
    #[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
    fn is_named(&self) -> bool {
        Payload::parse(self.payload.clone()).is_ok_and(|payload| own_uuid(&payload).is_some())
    }
}

fn own_uuid(payload: &Payload) -> Option<String> {
    payload.uuid().filter(|uuid| !uuid.is_empty())
}

/// What names a row of a table of failed jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyedBy {
    /// The driver `database-uuids`: a column with the job's uuid.
    Uuid,
    /// The driver `database`: the number that the table gives it.
    Id,
}

/// Keeps failed jobs.
pub trait FailedJobStore: Send + Sync + 'static {
    /// Keeps a job; one with the same uuid is replaced (`queue:retry` pushes before it deletes the row).
    fn record<'a>(&'a self, job: &'a FailedJob) -> BoxFuture<'a, Result<(), Error>>;

    /// Takes this very record back: the removal that followed it found that the job was no longer ours to fail. What
    /// another worker has recorded of the job since stays.
    fn withdraw<'a>(&'a self, job: &'a FailedJob) -> BoxFuture<'a, Result<(), Error>>;

    /// All failed jobs, the newest first.
    fn list(&self) -> BoxFuture<'_, Result<Vec<FailedJob>, Error>>;
}

/// Why a failed job could not be kept or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// SQLite creates no file here: the app's migrations do.
    #[error("Database file at path [{0}] does not exist. Create it, and run the app's migrations.")]
    NoDatabase(String),
    /// The file cannot be read, written or locked.
    #[error("{doing} in [{path}]: {source}")]
    File {
        /// What we were doing.
        doing: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database refused.
    #[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
    #[error("{doing} in table [{table}]: {source}")]
    Sql {
        /// What we were doing.
        doing: &'static str,
        /// The table.
        table: String,
        /// What the database said.
        source: crate::sql::Error,
    },
}

impl Error {
    /// True where trying again is of no use: the store will never take this very record.
    pub fn is_final(&self) -> bool {
        match self {
            #[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
            Error::Sql { source, .. } => source.is_final(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_payloads_without_uuid_are_recorded_each_by_itself() {
        let uuid = |json: &'static str| FailedJob::uuid_of(&Payload::parse(json.as_bytes()).unwrap());
        assert_ne!(uuid("{}"), uuid("{}"));
        assert_eq!(uuid(r#"{"uuid":"a"}"#), "a");
    }
}
