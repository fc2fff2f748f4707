//! Keeps nothing: `queue.failed.driver` is null. The job is removed all the same.
//!
//! Counterpart in PHP: `Illuminate\Queue\Failed\NullFailedJobProvider`.

use super::{Error, FailedJob, FailedJobStore};
use crate::queue::BoxFuture;

/// No store.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullStore;

impl FailedJobStore for NullStore {
    fn record<'a>(&'a self, _: &'a FailedJob) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    fn withdraw<'a>(&'a self, _: &'a FailedJob) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { Ok(()) })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<FailedJob>, Error>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
