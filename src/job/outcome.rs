//! How an attempt ended, and what is done about it.
//!
//! An [`Outcome`] is what happened; a [`Settlement`] is what the policy makes of it. A job that fails is a value,
//! never an `Err`: `Err` means that we could not do our own work.
//! Counterpart in PHP: the flags `deleted`, `released` and `failed` of `Illuminate\Queue\Jobs\Job`, and its exceptions.

use std::time::Duration;

use super::Exception;

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// The job did its work.
    Completed,
    /// The job asked to run again after a delay: `$this->release($seconds)`. Spends an attempt, ignores back-off.
    Released(Duration),
    /// The job gave itself up: `$this->fail($exception)`. No further attempt.
    Failed(Exception),
    /// The job removed itself without having done its work: `$this->delete()`.
    Deleted,
    /// The handler threw: returned an error or panicked. Policy decides whether it may run again.
    Threw(Exception),
    /// The handler was ended because its time was up.
    TimedOut,
}

/// What is done with a reservation once its attempt has ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement {
    /// Remove it: the job is done.
    Delete,
    /// Put it under `:delayed` with the attempts it has spent, to run again at this Unix second or later.
    Release {
        /// Unix seconds from which the job may run again.
        at: i64,
    },
    /// Record it among the failed jobs, then remove it.
    Fail(Exception),
    /// Put its popped bytes back at the head of the list: no attempt is spent.
    HandBack,
    /// Put its popped bytes under `:delayed`, to run at this Unix second or later: no attempt is spent, and nobody runs it
    /// before, for whoever had it may still be at work.
    HandBackLater {
        /// Unix seconds from which the job may run again.
        at: i64,
    },
    /// Set its popped bytes aside: they cannot be read as a job.
    Quarantine,
}

/// What a handler may return: an [`Outcome`], nothing at all (completed), or a `Result` of either, whose `Err` is
/// PHP's `throw`.
pub trait IntoOutcome {
    /// The outcome this value stands for.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Outcome::Completed
    }
}

impl<T: IntoOutcome, E: Into<Exception>> IntoOutcome for Result<T, E> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(value) => value.into_outcome(),
            Err(error) => Outcome::Threw(error.into()),
        }
    }
}

/// Why a job should end now. As an [`Exception`] it keeps its kind: a job that ends itself by `?`
/// after it was called back goes back, and one whose time is up has timed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Interrupted {
    /// Its reservation is another worker's by now: whatever it does from here on is done twice.
    #[error("the reservation was lost: another worker may have the job")]
    LeaseLost,
    /// The worker stops and its grace is over: the job goes back to the queue.
    #[error("the worker is stopping")]
    Stopping,
    /// Its time is up.
    #[error("the job's time is up")]
    TimedOut,
}
