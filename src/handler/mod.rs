//! Who runs a job.
//!
//! Owns the way from a job to the code that runs it, and what that code is given. Never touches the queue: a handler
//! answers with an [`Outcome`] and the worker settles. Counterpart in PHP: `Illuminate\Queue\CallQueuedHandler`.

mod context;
#[cfg(feature = "http")]
pub(crate) mod http;
mod native;
pub(crate) mod php;
mod router;

pub use crate::job::Interrupted;
pub(crate) use context::Bounds;
pub use context::{Context, State};
#[cfg(feature = "http")]
pub use http::{Endpoint, EndpointError, Secret, Signing};
pub use native::Native;
pub use php::{PoolOptions, Runner};
pub use router::{Route, Routes};

use crate::job::{Exception, Job, Outcome};
use crate::queue::BoxFuture;

/// Runs one attempt of a job.
///
/// The future may be dropped at any of its await points when the job's time is up or the worker is told to stop at
/// once; the job is settled only after that drop.
pub trait Handler: Send + Sync + 'static {
    /// Runs it; how it ended is the answer, also where it ended badly.
    fn run(&self, ctx: Context) -> BoxFuture<'static, Outcome>;

    /// Told once the job has failed for good and is off its queue: the `failed` method of a job class. What it comes to
    /// is nobody's business; it has no lease to keep.
    fn failed(&self, job: Job, exception: Exception) -> BoxFuture<'static, ()> {
        drop((job, exception));
        Box::pin(async {})
    }

    /// True where what the future began may go on when it is dropped: an endpoint does not see that nobody waits any
    /// more. A job that timed out there is not run again before its `retry_after` is over.
    fn goes_on_when_dropped(&self) -> bool {
        false
    }
}

/// A function of the context alone is a handler: it sees the payload undecoded.
impl<F> Handler for F
where
    F: Fn(Context) -> BoxFuture<'static, Outcome> + Send + Sync + 'static,
{
    fn run(&self, ctx: Context) -> BoxFuture<'static, Outcome> {
        self(ctx)
    }
}
