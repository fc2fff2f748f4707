//! Who runs a job.
//!
//! Owns the way from a job to the code that runs it, and what that code is given. Never touches the queue: a handler
//! answers with an [`Outcome`] and the worker settles. Counterpart in PHP: `Illuminate\Queue\CallQueuedHandler`.

mod context;
mod native;
pub(crate) mod php;
mod router;

pub use crate::job::Interrupted;
pub use context::{Context, State};
pub use native::Native;
pub use php::PoolOptions;
pub use router::{Route, Routes};

use crate::job::Outcome;
use crate::queue::BoxFuture;

/// Runs one attempt of a job.
///
/// The future may be dropped at any of its await points when the job's time is up or the worker is told to stop at
/// once; the job is settled only after that drop.
pub trait Handler: Send + Sync + 'static {
    /// Runs it; how it ended is the answer, also where it ended badly.
    fn run(&self, ctx: Context) -> BoxFuture<'static, Outcome>;
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
