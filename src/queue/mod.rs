//! Verbs on a queue: reserve, settle, renew, push.
//!
//! Owns what a reservation is and what a queue promises about it. Never runs a job and never decides a retry.
//! Counterpart in PHP: `Illuminate\Contracts\Queue\Queue`, `Illuminate\Queue\RedisQueue`.

mod memory;
mod redis;
mod reservation;

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use crate::dialect::Rules;
use crate::job::{Payload, PayloadError};

pub use self::memory::MemoryQueue;
pub use self::redis::{RedisQueue, RedisQueueOptions};
pub use self::reservation::{AttemptsEdit, Reservation, Settling, Token};

/// A boxed future, so that queues and handlers can stand behind `dyn`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Jobs that one call reserves or settles at most; callers pass no more.
pub const BATCH_JOBS: usize = 100;
/// Bytes of payload that one call reserves, settles or renews at most, give or take the last job.
pub const BATCH_BYTES: usize = 1 << 20;

/// So long after it was sent, a reserve without an answer has had its effect or never will.
pub const LATEST: std::time::Duration = std::time::Duration::from_secs(8);

/// A queue that jobs are reserved from.
///
/// Times are whole Unix seconds of this host's clock, as in PHP. All queues pass one conformance suite.
pub trait Queue: Send + Sync + 'static {
    /// Settles, then reserves, in one step that happens whole or not at all. Either half may be empty.
    ///
    /// An `Err` leaves it open whether the step happened: settlements may be sent again (they are fenced by bytes and
    /// token), a reserve may not: call [`recover`](Queue::recover) with the same token instead.
    fn exchange<'a>(&'a self, queue: &'a str, ask: Exchange<'a>) -> BoxFuture<'a, Result<Exchanged, Error>>;

    /// The reservations that stand under this token and this expiry: what a reserve whose answer was lost did take. Where
    /// that reserve [may have happened](Error::may_have_happened) no longer ago than [`LATEST`], what it will take is not among them.
    fn recover<'a>(
        &'a self,
        queue: &'a str,
        token: Token,
        expires_at: i64,
    ) -> BoxFuture<'a, Result<Vec<Reservation>, Error>>;

    /// Moves the expiry of reservations to `expires_at`, never back; says for each whether it is still held.
    fn renew<'a>(
        &'a self,
        queue: &'a str,
        held: &'a [&'a Reservation],
        expires_at: i64,
    ) -> BoxFuture<'a, Result<Vec<bool>, Error>>;

    /// Waits until one of the queues may have a job, for `seconds` at most; answers those that may: one, or several
    /// where each is waited for by itself. Where the framework has wake-up tokens, one of each was taken and is in the
    /// caller's hand: it goes back with the next exchange, as [`Exchange::woken`].
    fn wait<'a>(&'a self, queues: &'a [String], seconds: f64) -> BoxFuture<'a, Result<Vec<String>, Error>>;

    /// True where these queues are on one server: where the one does not answer, the other does not.
    fn fall_together(&self, queue: &str, other: &str) -> bool {
        let _ = (queue, other);
        true
    }

    /// The rules of its framework: of retrying, timing out, telling why and pushing.
    fn rules(&self) -> Rules {
        Rules::default()
    }

    /// Reads a payload of this queue, as its framework does.
    ///
    /// # Errors
    /// Where the framework could not read it either.
    fn read(&self, payload: Bytes) -> Result<Payload, PayloadError> {
        Payload::parse(payload)
    }

    /// Ends a [`wait`](Queue::wait) that is under way, at once.
    fn wake(&self) -> BoxFuture<'_, ()>;

    /// Appends a payload to the ready list.
    fn push<'a>(&'a self, queue: &'a str, payload: &'a [u8]) -> BoxFuture<'a, Result<(), Error>>;

    /// Puts a payload aside until `available_at`.
    fn later<'a>(
        &'a self,
        queue: &'a str,
        payload: &'a [u8],
        available_at: i64,
    ) -> BoxFuture<'a, Result<(), Error>>;

    /// Appends payloads, [`BATCH_JOBS`] at most, in this order. A queue that can does it in one step, whole or not at all;
    /// unless it says so, one after the other.
    fn push_all<'a>(&'a self, queue: &'a str, payloads: &'a [Vec<u8>]) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            for payload in payloads {
                self.push(queue, payload).await?;
            }
            Ok(())
        })
    }

    /// Puts payloads aside, [`BATCH_JOBS`] at most, each until its own second; as [`push_all`](Queue::push_all).
    fn later_all<'a>(
        &'a self,
        queue: &'a str,
        payloads: &'a [(i64, Vec<u8>)],
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            for (available_at, payload) in payloads {
                self.later(queue, payload, *available_at).await?;
            }
            Ok(())
        })
    }

    /// How many jobs the queue holds, by state.
    fn size<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<Sizes, Error>>;

    /// Removes all jobs but those set aside: quarantined, timed out or failed; answers how many.
    fn clear<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<u64, Error>>;

    /// Payloads in one state, the next to run first: `limit` of them from `offset` on.
    fn peek<'a>(
        &'a self,
        queue: &'a str,
        state: State,
        offset: usize,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Peeked>, Error>>;
}

/// What one exchange is asked to do.
#[derive(Debug, Default)]
pub struct Exchange<'a> {
    /// Reservations of this queue to settle, [`BATCH_JOBS`] at most.
    pub settle: &'a [Settling],
    /// How many jobs to reserve, [`BATCH_JOBS`] at most; 0 only settles.
    pub want: usize,
    /// The token that the reserved jobs will stand under.
    pub token: Token,
    /// Now, in Unix seconds.
    pub now: i64,
    /// For how many seconds the jobs are reserved.
    pub lease: i64,
    /// Wake-up tokens in hand: they count for the jobs taken, and go back if jobs are left without one.
    pub woken: usize,
}

/// What an exchange did.
#[derive(Debug, Default)]
pub struct Exchanged {
    /// For each settlement, in order: true where it took effect, false where the reservation was no longer held.
    pub settled: Vec<bool>,
    /// The jobs reserved, in the order they were taken.
    pub reserved: Vec<Reservation>,
    /// Payloads set aside because no worker could read them: size in bytes, and the reason.
    pub quarantined: Vec<(usize, String)>,
    /// Payloads that no worker could read and for which the quarantine had no room: they are at the end of the list.
    pub unplaced: u64,
    /// When the next delayed job or expired reservation is due, in Unix seconds; not after now where more are due
    /// already than one call moves.
    pub next_due: Option<i64>,
    /// Jobs that were left on the ready list.
    pub left: u64,
    /// Unix seconds on the clock of the queue's server, where it has one.
    pub redis_time: Option<i64>,
    /// Nothing was reserved, for by the clocks the call came too late: ask again.
    pub late: bool,
}

/// How many jobs a queue holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Ready to run.
    pub pending: u64,
    /// Waiting for their time.
    pub delayed: u64,
    /// Held by a worker.
    pub reserved: u64,
    /// Set aside as unreadable.
    pub quarantined: u64,
    /// Gone there from an expired reservation; `None` where the wire has no such list.
    pub timeout: Option<u64>,
    /// Failed, and kept beside the queue; `None` where the wire has no such list.
    pub failed: Option<u64>,
}

/// Where a job stands in its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// On the ready list.
    Pending,
    /// Under `:delayed`.
    Delayed,
    /// Under `:reserved`.
    Reserved,
    /// Under `:quarantine`.
    Quarantined,
    /// Under `:timeout`, where there is such a list.
    Timeout,
    /// Under `:failed`, where there is such a list.
    Failed,
}

/// A payload looked at where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Peeked {
    /// Its exact bytes.
    pub payload: Bytes,
    /// When it is due or its reservation ends, in Unix seconds, where the state has such a time.
    pub at: Option<f64>,
}

impl Error {
    /// False where the call certainly had no effect and will have none: it was not sent, or refused.
    pub fn may_have_happened(&self) -> bool {
        match self {
            Error::Redis { source, .. } => source.may_have_happened(),
            Error::Answer { .. } => true,
        }
    }

    /// True where Redis answered, and refused: that may be about one queue alone.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Error::Redis { source, .. } if source.is_refusal())
    }

    /// What is wrong, without what was being done and where.
    pub fn cause(&self) -> String {
        match self {
            Error::Redis { source, .. } => source.to_string(),
            Error::Answer { answer, .. } => answer.clone(),
        }
    }
}

/// Why a queue could not do its work.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Redis could not be reached, or answered with an error; whether the command took effect is open.
    #[error("{doing} on queue [{queue}]: {source}")]
    Redis {
        /// What we were doing, in the words of the queue.
        doing: &'static str,
        /// The queue's name.
        queue: String,
        /// What the client or Redis said.
        source: crate::redis::Error,
    },
    /// Redis answered something that our script never answers.
    #[error("{doing} on queue [{queue}]: unexpected answer from Redis: {answer}")]
    Answer {
        /// What we were doing.
        doing: &'static str,
        /// The queue's name.
        queue: String,
        /// The answer, shortened.
        answer: String,
    },
}
