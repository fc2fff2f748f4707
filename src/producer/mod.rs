//! Pushing jobs that any worker of the app runs, in PHP or in Rust.
//!
//! Owns the way from a job to the queue: one at a time, or many in few calls. Never runs a job, and takes no locks: the
//! unique lock of a class that is `ShouldBeUnique` is the app's. In reading order: `dispatch`,
//! `payload`, `property`, `chain`, `json`.
//! Counterpart in PHP: `dispatch()`, `Illuminate\Contracts\Queue\Queue::push`, `bulk`.

mod chain;
mod dispatch;
mod error;
mod json;
mod payload;
mod property;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

pub use dispatch::Dispatch;
pub use error::Error;
use payload::Ready;

use crate::clock::Clock;
use crate::dialect::Shape;
use crate::queue::{BATCH_BYTES, BATCH_JOBS, Queue};

/// Pushes jobs onto the queues of one connection. Cheap to clone.
///
/// ```
/// use std::time::Duration;
///
/// use handover::{Dispatch, MemoryQueue, Producer, php};
///
/// #[derive(serde::Serialize)]
/// struct SendInvoice {
///     #[serde(rename = "invoiceId")]
///     invoice_id: i64,
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> handover::Result<()> {
/// let queue = MemoryQueue::new();
/// let producer = Producer::on(queue.clone()).version((8, 83));
/// let job = php::object("App\\Jobs\\SendInvoice").of(&SendInvoice { invoice_id: 42 })?;
/// let pushed = producer.dispatch(Dispatch::object(job).on_queue("invoices").tries(3)).await?;
/// println!("{pushed}"); // its uuid
///
/// let report = Dispatch::named("App\\Legacy@report", serde_json::json!({"day": "monday"}));
/// producer.dispatch(report.delay(Duration::from_secs(60))).await?;
/// assert_eq!((queue.sizes("invoices").pending, queue.sizes("default").delayed), (1, 1));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Producer {
    queue: Arc<dyn Queue>,
    connection: Arc<str>,
    default_queue: Arc<str>,
    shape: Shape,
    clock: Clock,
}

/// A job that was pushed. Prints as its uuid, or as its id before Laravel 7.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// 32 letters and digits, new with every push.
    pub id: String,
    /// Kept over all attempts and retries of the job; `None` before Laravel 7.
    pub uuid: Option<String>,
}

impl fmt::Display for Pushed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.uuid.as_deref().unwrap_or(&self.id))
    }
}

impl Producer {
    /// Onto this queue, with the payloads of its framework's version.
    pub fn on(queue: impl Queue) -> Producer {
        let shape = queue.rules().shape;
        Producer::shared(Arc::new(queue), "redis".into(), "default".into(), shape, Clock::system())
    }

    pub(crate) fn shared(
        queue: Arc<dyn Queue>,
        connection: Arc<str>,
        default_queue: Arc<str>,
        shape: Shape,
        clock: Clock,
    ) -> Producer {
        Producer { queue, connection, default_queue, shape, clock }
    }

    /// The app's framework version, `(major, minor)`: its workers read the payloads.
    #[must_use]
    pub fn version(mut self, version: (u32, u32)) -> Producer {
        self.shape = Shape::laravel(version);
        self
    }

    /// The connection's name in the app's `config/queue.php`; otherwise `redis`.
    #[must_use]
    pub fn connection(mut self, name: &str) -> Producer {
        self.connection = name.into();
        self
    }

    /// The queue of jobs that name none; otherwise `default`.
    #[must_use]
    pub fn default_queue(mut self, name: &str) -> Producer {
        self.default_queue = name.into();
        self
    }

    /// The clock that delays and `createdAt` are taken from.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Producer {
        self.clock = clock;
        self
    }

    /// Pushes a job.
    ///
    /// # Errors
    /// Where no worker could run it as it is meant, before anything is pushed; or from the queue: whether the job is
    /// there then, [`may_have_happened`](crate::queue::Error::may_have_happened) tells.
    pub async fn dispatch(&self, job: impl Into<Dispatch>) -> Result<Pushed, Error> {
        let Ready { queue, available_at, payload, pushed } = self.ready(job.into())?;
        let done = match available_at {
            None => self.queue.push(&queue, &payload).await,
            Some(at) => self.queue.later(&queue, &payload, at).await,
        };
        done.map(|()| pushed).map_err(|source| Error::Queue { pushed: 0, source })
    }

    /// Pushes many jobs, each as [`dispatch`](Self::dispatch) would, up to [`BATCH_JOBS`] or [`BATCH_BYTES`] in a call. On
    /// each queue they keep their order. Answers in the order given.
    ///
    /// # Errors
    /// As [`dispatch`](Self::dispatch): a job that cannot be pushed keeps all others from being pushed; an error of the
    /// queue says how many were pushed before.
    pub async fn bulk(&self, jobs: impl IntoIterator<Item: Into<Dispatch>>) -> Result<Vec<Pushed>, Error> {
        let mut answers = Vec::new();
        let mut queues: Vec<Pushing> = Vec::new();
        for job in jobs {
            let Ready { queue, available_at, payload, pushed } = self.ready(job.into())?;
            answers.push(pushed);
            let at = queues.iter().position(|known| known.queue == queue).unwrap_or_else(|| {
                queues.push(Pushing { queue, ..Pushing::default() });
                queues.len() - 1
            });
            match available_at {
                None => queues[at].now.push(payload),
                Some(available_at) => queues[at].later.push((available_at, payload)),
            }
        }
        let mut pushed = 0;
        for Pushing { queue, now, later } in &queues {
            for batch in batches(now, Vec::len) {
                let done = self.queue.push_all(queue, batch).await;
                done.map_err(|source| Error::Queue { pushed, source })?;
                pushed += batch.len();
            }
            for batch in batches(later, |(_, payload)| payload.len()) {
                let done = self.queue.later_all(queue, batch).await;
                done.map_err(|source| Error::Queue { pushed, source })?;
                pushed += batch.len();
            }
        }
        Ok(answers)
    }

    fn ready(&self, job: Dispatch) -> Result<Ready, Error> {
        if let Some(wanted) = job.connection.as_ref().filter(|wanted| **wanted != *self.connection) {
            let (wanted, connection) = (wanted.clone(), self.connection.to_string());
            return Err(Error::OtherConnection { wanted, connection });
        }
        if !self.shape.is_json {
            return Err(Error::NotJson { framework: self.shape.framework });
        }
        payload::make(job, &self.shape, &self.default_queue, self.clock.now())
    }
}

/// What a bulk pushes onto one queue.
#[derive(Default)]
struct Pushing {
    queue: String,
    now: Vec<Vec<u8>>,
    later: Vec<(i64, Vec<u8>)>,
}

/// Splits what is pushed into what one call takes; a payload beyond [`BATCH_BYTES`] goes alone.
fn batches<T>(all: &[T], size: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    let mut rest = all;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = rest.iter().take(BATCH_JOBS).enumerate().take_while(|(index, item)| {
            bytes += size(item);
            *index == 0 || bytes <= BATCH_BYTES
        });
        let (batch, others) = rest.split_at(fits.count());
        rest = others;
        (!batch.is_empty()).then_some(batch)
    })
}

impl fmt::Debug for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Producer { connection, default_queue, shape, .. } = self;
        let mut debug = f.debug_struct("Producer");
        debug.field("connection", connection).field("default_queue", default_queue);
        debug.field("version", &shape.version).finish_non_exhaustive()
    }
}
