//! Failed jobs kept in memory, for a worker in this process and the test that looks at them. Never fails.

use std::sync::{Arc, Mutex, MutexGuard};

use handover::failed::{Error, FailedJob, FailedJobStore};
use handover::queue::BoxFuture;

/// The rows; clones share them.
#[derive(Clone, Default)]
pub struct Rows(Arc<Mutex<Vec<FailedJob>>>);

impl Rows {
    pub fn all(&self) -> MutexGuard<'_, Vec<FailedJob>> {
        self.0.lock().expect("the rows")
    }
}

impl FailedJobStore for Rows {
    fn record<'a>(&'a self, job: &'a FailedJob) -> BoxFuture<'a, Result<(), Error>> {
        self.all().push(job.clone());
        Box::pin(async { Ok(()) })
    }

    fn withdraw<'a>(&'a self, job: &'a FailedJob) -> BoxFuture<'a, Result<(), Error>> {
        self.all().retain(|kept| kept != job);
        Box::pin(async { Ok(()) })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<FailedJob>, Error>> {
        let jobs = self.all().clone();
        Box::pin(async { Ok(jobs) })
    }
}
