//! What a handler is given beside its job: its deadline, the state of the application, and a way to hear that it
//! should end, and a way to push jobs. Never gives access to its own job's place in the queue.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::job::{Interrupted, Job};
use crate::producer::{self, Dispatch, Producer, Pushed};

/// The surroundings of one attempt. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Context {
    job: Job,
    state: State,
    producer: Producer,
    deadline: Option<Instant>,
    stopping: CancellationToken,
    lost: Arc<AtomicBool>,
    bounds: Bounds,
}

/// What the worker's rules say of this attempt.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds {
    /// Attempts; 0 is unlimited.
    pub(crate) max_tries: i64,
    /// How long the job would wait if this attempt threw.
    pub(crate) backoff: Duration,
}

impl Context {
    pub(crate) fn new(
        job: Job,
        state: State,
        producer: Producer,
        deadline: Option<Instant>,
        stopping: CancellationToken,
        lost: Arc<AtomicBool>,
        bounds: Bounds,
    ) -> Self {
        Context { job, state, producer, deadline, stopping, lost, bounds }
    }

    /// The job of this attempt.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// What [`Worker::state`](crate::Worker::state) was given of this type.
    ///
    /// # Panics
    /// If it was given nothing of this type; the attempt then counts as one that threw.
    pub fn state<T: Send + Sync + 'static>(&self) -> &T {
        self.state
            .find()
            .unwrap_or_else(|| panic!("no state of type {}: give it to Worker::state", type_name::<T>()))
    }

    /// Pushes a job onto this connection, as `dispatch()` does in a PHP job; without a queue of its own, onto the
    /// connection's default queue and not this job's. It stays pushed, however this attempt ends.
    ///
    /// # Errors
    /// As [`Producer::dispatch`].
    pub async fn dispatch(&self, job: impl Into<Dispatch>) -> Result<Pushed, producer::Error> {
        self.producer.dispatch(job).await
    }

    /// The producer behind [`dispatch`](Self::dispatch): for [`bulk`](Producer::bulk), or to keep.
    pub fn producer(&self) -> &Producer {
        &self.producer
    }

    /// How long the attempt may still run; `None` where the job has no timeout.
    pub fn time_left(&self) -> Option<Duration> {
        self.deadline.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// How many attempts the job has, by itself or by `--tries`; 0 is no limit.
    pub fn max_tries(&self) -> i64 {
        self.bounds.max_tries
    }

    /// How long the job would wait if this attempt threw: its own back-off, else `--backoff`.
    pub fn backoff(&self) -> Duration {
        self.bounds.backoff
    }

    /// Waits until the worker has been told to stop at once: for work that ends itself in order.
    pub async fn cancelled(&self) {
        self.stopping.cancelled().await;
    }

    /// An error as soon as it is pointless to go on: `ctx.checkpoint()?` between the steps of a long job.
    pub fn checkpoint(&self) -> Result<(), Interrupted> {
        if self.lost.load(Ordering::Relaxed) {
            Err(Interrupted::LeaseLost)
        } else if self.stopping.is_cancelled() {
            Err(Interrupted::Stopping)
        } else if self.time_left() == Some(Duration::ZERO) {
            Err(Interrupted::TimedOut)
        } else {
            Ok(())
        }
    }
}

/// The application's shared values, one of a type.
#[derive(Clone, Debug, Default)]
pub struct State(Arc<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl State {
    /// Adds a value, in place of an earlier one of its type.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        Arc::make_mut(&mut self.0).insert(TypeId::of::<T>(), Arc::new(value));
    }

    fn find<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref()
    }
}
