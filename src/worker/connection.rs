//! One queue connection of a worker: its queues, and what holds for their jobs.
//!
//! A worker has one, and may serve more beside it ([`Worker::also`](super::Worker::also)): of other apps and other
//! frameworks. Values only; the ledger acts on them. Counterpart in PHP: an entry of `connections` in
//! `config/queue.php`; there a worker has one.

use std::sync::Arc;
use std::time::Duration;

use super::options::WorkerOptions;
use crate::clock::Clock;
use crate::dialect::Rules;
use crate::failed::{FailedJobStore, NullStore};
use crate::producer::Producer;
use crate::queue::Queue;

#[derive(Clone)]
pub(crate) struct Connection {
    /// Its name, as written into failed jobs.
    pub(crate) name: Arc<str>,
    pub(crate) queue: Arc<dyn Queue>,
    /// The queues polled, in order of priority.
    pub(crate) queues: Vec<String>,
    /// The connection's own queue, for jobs that handlers push.
    pub(crate) default_queue: Arc<str>,
    /// The rules of its framework's version.
    pub(crate) rules: Rules,
    /// What bounds its jobs: tries, backoff, timeout, lease. The rest of the options is the worker's.
    pub(crate) options: WorkerOptions,
    /// `None` where only the app itself can write it, through a PHP child.
    pub(crate) failed: Option<Arc<dyn FailedJobStore>>,
    /// The name of that store.
    pub(crate) app_store: String,
    /// The worker's PHP children are of its app, and take its jobs without a handler.
    pub(crate) has_pool: bool,
}

impl Connection {
    pub(super) fn of(queue: impl Queue) -> Self {
        let rules = queue.rules();
        Connection {
            name: "redis".into(),
            queue: Arc::new(queue),
            queues: vec!["default".into()],
            default_queue: "default".into(),
            rules,
            options: WorkerOptions::default(),
            failed: Some(Arc::new(NullStore)),
            app_store: String::new(),
            has_pool: true,
        }
    }

    /// What handlers of its jobs push with.
    pub(super) fn producer(&self, clock: &Clock) -> Producer {
        let (name, default_queue) = (self.name.clone(), self.default_queue.clone());
        Producer::shared(self.queue.clone(), name, default_queue, self.rules.shape, clock.clone())
    }

    /// For how long a job is reserved and renewed at a time.
    pub(super) fn lease(&self) -> Duration {
        Duration::from_secs(self.options.lease_seconds() as u64)
    }
}
