//! A job held under a lease.
//!
//! Owns the bytes and the token that fence every settlement. A reservation cannot be cloned and is consumed by
//! settling it; dropping one unsettled says so in the log, because its job then waits for the lease to run out.
//! Counterpart in PHP: `Illuminate\Queue\Jobs\RedisJob` (its raw and its reserved bytes).

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::dialect::Counting;
use crate::dialect::hyperf::message::Message;
use crate::job::Settlement;

/// The fence beside the bytes: 20 bits, carried in the fraction of the reservation's score.
///
/// The same job reserved again has the same bytes, so bytes alone would let a late settlement hit a stranger's
/// reservation. `whole second + n / 2^20` is exact in a double until long after 2038.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Token(u32);

impl Token {
    /// How many tokens there are.
    pub const RANGE: u32 = 1 << 20;

    /// A token for one reserve call. Never 0, which is what PHP's whole-second scores look like.
    pub fn random() -> Self {
        Token(fastrand::u32(1..Self::RANGE))
    }

    /// The token with this number.
    ///
    /// # Panics
    /// If it is not below [`Token::RANGE`].
    pub fn new(number: u32) -> Self {
        assert!(number < Self::RANGE, "token {number} is not below 2^20");
        Token(number)
    }

    /// The number, below 2^20.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The score of a reservation that ends at this Unix second.
    pub fn score(self, expires_at: i64) -> f64 {
        expires_at as f64 + f64::from(self.0) / f64::from(Self::RANGE)
    }
}

/// Where the count of attempts stands in popped bytes that are JSON, and the number of this attempt: all that may differ
/// between the popped and the reserved bytes. In a message, whose count no script finds, the place is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptsEdit {
    /// Byte offset of the value of the last top-level `attempts`.
    pub at: usize,
    /// Its length in bytes.
    pub len: usize,
    /// The number of this attempt.
    pub attempts: i64,
}

impl AttemptsEdit {
    /// The popped bytes with this attempt's number.
    pub fn apply(&self, popped: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(popped.len() + 4);
        bytes.extend_from_slice(&popped[..self.at]);
        bytes.extend_from_slice(self.attempts.to_string().as_bytes());
        bytes.extend_from_slice(&popped[self.at + self.len..]);
        bytes
    }
}

/// A job held under a lease: exact bytes and token.
#[must_use = "a reservation must be settled, or its job waits for the lease to run out"]
pub struct Reservation {
    queue: Arc<str>,
    popped: Bytes,
    edit: AttemptsEdit,
    counting: Counting,
    token: Token,
    open: bool,
}

impl Reservation {
    /// A reservation as a queue hands it out.
    pub fn new(
        queue: impl Into<Arc<str>>,
        popped: impl Into<Bytes>,
        edit: AttemptsEdit,
        counting: Counting,
        token: Token,
    ) -> Self {
        Reservation { queue: queue.into(), popped: popped.into(), edit, counting, token, open: true }
    }

    /// The queue it was taken from, as polled.
    pub fn queue(&self) -> &Arc<str> {
        &self.queue
    }

    /// The bytes as they were taken from the list.
    pub fn popped(&self) -> &Bytes {
        &self.popped
    }

    /// The bytes that stand under `:reserved`.
    pub fn reserved(&self) -> Vec<u8> {
        match self.counting {
            Counting::AtReserve => self.edit.apply(&self.popped),
            Counting::AtReturn | Counting::AtRelease => self.popped.to_vec(),
        }
    }

    /// The bytes that a release leaves: the next attempt is to find the spent ones counted.
    pub fn released(&self) -> Vec<u8> {
        let attempts = self.edit.attempts;
        match self.counting {
            Counting::AtReserve => self.edit.apply(&self.popped),
            Counting::AtReturn => AttemptsEdit { attempts: attempts + 1, ..self.edit }.apply(&self.popped),
            Counting::AtRelease => Message::read(&self.popped)
                .map_or_else(|| self.popped.to_vec(), |message| message.counted(attempts)),
        }
    }

    /// The number of this attempt.
    pub fn attempts(&self) -> i64 {
        self.edit.attempts
    }

    /// The token it stands under.
    pub fn token(&self) -> Token {
        self.token
    }

    /// True where both hold the same job, whatever its attempts: the bytes around the count are equal. Messages never do:
    /// they have no id, and equal ones are jobs of their own.
    pub fn same_job(&self, other: &Reservation) -> bool {
        if self.counting == Counting::AtRelease {
            return false;
        }
        let around =
            |r: &Reservation| (r.popped.slice(..r.edit.at), r.popped.slice(r.edit.at + r.edit.len..));
        self.queue == other.queue && around(self) == around(other)
    }

    /// It was settled, or is known to be held no more.
    pub fn close(mut self) {
        self.open = false;
    }
}

/// Builds reservations of one queue's reserve or recover call.
#[derive(Clone, Debug)]
pub(super) struct Taking {
    pub(super) queue: Arc<str>,
    pub(super) counting: Counting,
    pub(super) token: Token,
}

impl Taking {
    /// Of bytes that were popped.
    pub(super) fn popped(&self, popped: Bytes, edit: AttemptsEdit) -> Reservation {
        let edit = match self.counting {
            Counting::AtReserve | Counting::AtReturn => edit,
            Counting::AtRelease => {
                let spent = Message::read(&popped).map_or(0, |message| message.attempts);
                AttemptsEdit { attempts: spent.saturating_add(1), ..edit }
            }
        };
        Reservation::new(self.queue.clone(), popped, edit, self.counting, self.token)
    }

    /// Of bytes that stand under `:reserved`, with the count that stands in them.
    pub(super) fn reserved(&self, reserved: Bytes, edit: AttemptsEdit) -> Reservation {
        match self.counting {
            Counting::AtReturn | Counting::AtRelease => self.popped(reserved, edit),
            Counting::AtReserve => {
                // The count before this attempt stood where the raised one stands now.
                let popped = AttemptsEdit { attempts: edit.attempts - 1, ..edit }.apply(&reserved);
                let len = popped.len() - (reserved.len() - edit.len);
                self.popped(popped.into(), AttemptsEdit { len, ..edit })
            }
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.open {
            tracing::error!(queue = %self.queue, attempts = self.edit.attempts, "reservation dropped unsettled");
        }
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Reservation { queue, popped, edit, token, .. } = self;
        write!(
            f,
            "Reservation({queue}, {} bytes, attempts {}, token {})",
            popped.len(),
            edit.attempts,
            token.0
        )
    }
}

/// A reservation and what is to be done with it.
#[derive(Debug)]
pub struct Settling {
    /// The reservation.
    pub reservation: Reservation,
    /// What is done with it. A queue takes [`Settlement::Fail`] as a removal: recording is the worker's business; but where
    /// its framework keeps failed jobs beside the queue, this puts it there.
    pub settlement: Settlement,
}
