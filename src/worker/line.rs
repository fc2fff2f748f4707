//! One polled queue as the ledger knows it: what waits to be settled there, and when to ask it again.
//!
//! Values only; the ledger acts on them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::connection::Connection;
use super::desk::Id;
use super::outage::Outage;
use crate::events::Event;
use crate::queue::{BATCH_BYTES, BATCH_JOBS, LATEST, Settling, Token};

/// A settlement on its way.
pub(super) struct Pending {
    pub(super) id: Id,
    pub(super) settling: Settling,
    pub(super) answer: Option<oneshot::Sender<bool>>,
    /// Told once it has taken effect.
    pub(super) events: Vec<Event>,
    /// It was sent before and the answer was lost: finding nothing then means that it took effect.
    pub(super) sent: bool,
    /// Until then nobody else can have taken the job.
    pub(super) lease_ends: Instant,
}

/// A reserve whose answer never came.
#[derive(Clone, Copy)]
pub(super) struct Unsure {
    pub(super) token: Token,
    /// The Unix second at which it was sent.
    pub(super) sent: i64,
    /// When to look what it took.
    pub(super) look_at: Instant,
    /// It may take something even now, until then.
    pub(super) until: Instant,
}

impl Unsure {
    pub(super) fn new(token: Token, sent: i64, asked: Instant) -> Self {
        Unsure { token, sent, look_at: Instant::now(), until: asked + LATEST }
    }

    /// It was looked at: again in a second, while it may still take something.
    pub(super) fn again(self, looked: Instant) -> Option<Self> {
        (looked < self.until).then(|| Unsure { look_at: looked + Duration::from_secs(1), ..self })
    }
}

/// One polled queue.
pub(super) struct Line {
    pub(super) name: Arc<str>,
    pub(super) connection: Arc<Connection>,
    /// Which of the worker's connections that is.
    pub(super) nth: usize,
    pub(super) pending: Vec<Pending>,
    /// Wake-up tokens in hand.
    pub(super) woken: usize,
    /// When the next delayed job or expired reservation is due, in Unix seconds.
    pub(super) next_due: Option<i64>,
    /// Reserves whose answer never came.
    pub(super) unsure: Vec<Unsure>,
    /// Nothing is reserved before this: its head is a job that nobody here takes.
    pub(super) probe: Option<Probe>,
    /// Its head was a job whose kind of slot was full.
    pub(super) blocked: Option<Blocked>,
    /// Its wake-ups are not listened to before this: it has jobs, and none that can be taken now.
    pub(super) quiet_until: Option<Instant>,
    /// It did not do what it was asked, though other queues may.
    pub(super) outage: Outage,
    /// It is asked nothing: a task of its own looks whether it is there again.
    pub(super) is_away: bool,
}

/// Slots that are free, by who runs in them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Free {
    /// For handlers of this process.
    pub(super) native: usize,
    /// PHP children.
    pub(super) php: usize,
}

impl Free {
    pub(super) fn any(self) -> usize {
        self.native + self.php
    }
}

/// A queue that waits for a kind of slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Blocked {
    /// For a PHP child, else for a slot of this process.
    pub(super) on_php: bool,
    /// When one more than there is room for may be asked for, to see what the head is.
    pub(super) look_at: Instant,
}

impl Blocked {
    /// When the head is to be looked at; never while there is nobody to take it if it turns out to be another kind.
    fn looks_at(self, free: Free) -> Option<Instant> {
        let other = if self.on_php { free.native } else { free.php };
        (other > 0).then_some(self.look_at)
    }
}

/// How long a queue's head goes unseen while it waits for a slot and nothing is taken from it here: another worker may
/// have taken it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// The same once a job was taken: what stands at the head then is not known.
const LOOK_SOON: Duration = Duration::from_millis(50);

/// The pause before a queue is asked again whose head nobody here takes.
#[derive(Clone, Copy)]
pub(super) struct Probe {
    pub(super) at: Instant,
    pause: Duration,
}

impl Line {
    pub(super) fn new(name: &str, nth: usize, connection: Arc<Connection>) -> Self {
        Line {
            name: name.into(),
            connection,
            nth,
            pending: Vec::new(),
            woken: 0,
            next_due: None,
            unsure: Vec::new(),
            probe: None,
            blocked: None,
            quiet_until: None,
            outage: Outage::default(),
            is_away: false,
        }
    }

    /// How many jobs may be asked for: one at a time while its head was nobody's, and no more than fit while it waits
    /// for a kind of slot.
    pub(super) fn want(&self, free: Free, now: Instant) -> usize {
        if self.is_away {
            return 0;
        }
        let free = self.open_to(free);
        let fit = match self.blocked {
            None => free.any(),
            Some(blocked) => {
                let own = if blocked.on_php { free.php } else { free.native };
                own + usize::from(blocked.looks_at(free).is_some_and(|at| at <= now))
            }
        };
        match self.probe {
            None => fit.min(BATCH_JOBS),
            Some(probe) if probe.at <= now => fit.min(1),
            Some(_) => 0,
        }
    }

    /// A job came whose kind of slot is full.
    pub(super) fn block(&mut self, on_php: bool, now: Instant) {
        self.blocked = Some(Blocked { on_php, look_at: now + LOOK_AGAIN });
    }

    /// A job went into its slot: a queue that waited for the other kind does not any more.
    pub(super) fn went(&mut self, to_php: bool, now: Instant) {
        match &mut self.blocked {
            Some(blocked) if blocked.on_php == to_php => blocked.look_at = now + LOOK_SOON,
            blocked => *blocked = None,
        }
    }

    /// Something has to be sent that no reserve will take along; wake-up tokens in hand go back where none follows.
    pub(super) fn has_something_to_say(&self, reserve_follows: bool) -> bool {
        if self.is_away {
            return false;
        }
        !self.pending.is_empty() || self.unsure_now().is_some() || self.woken > 0 && !reserve_follows
    }

    /// It is asked as soon as something is due; else it waits for a slot or for its next probe anyway.
    pub(super) fn acts_on_due(&self, free: Free) -> bool {
        self.probe.is_none() && self.blocked.is_none() && self.open_to(free).any() > 0
    }

    /// The slots its jobs may have: PHP children only where they are of its app.
    fn open_to(&self, free: Free) -> Free {
        Free { php: if self.connection.has_pool { free.php } else { 0 }, ..free }
    }

    /// When a head that waits for a slot is to be looked at.
    pub(super) fn looks_at(&self, free: Free) -> Option<Instant> {
        self.blocked.and_then(|blocked| blocked.looks_at(self.open_to(free)))
    }

    pub(super) fn is_quiet(&self, now: Instant) -> bool {
        self.quiet_until.is_some_and(|until| until > now)
    }

    /// The first of the unsure reserves that is to be looked at.
    pub(super) fn unsure_now(&self) -> Option<usize> {
        let now = Instant::now();
        self.unsure.iter().position(|unsure| unsure.look_at <= now)
    }

    /// A job came that nobody here takes: pauses of 1 s doubling to 30 s.
    pub(super) fn hold_off(&mut self, now: Instant) {
        let pause =
            self.probe.map_or(Duration::from_secs(1), |probe| (probe.pause * 2).min(Duration::from_secs(30)));
        self.probe = Some(Probe { at: now + pause, pause });
    }

    /// How many of the pending settlements one call carries, counted from the end: of jobs that go back to the head, the
    /// last must go first.
    pub(super) fn batch(&self) -> usize {
        let mut bytes = 0;
        let fits = self.pending.iter().rev().take(BATCH_JOBS).take_while(|pending| {
            let first = bytes == 0;
            bytes += pending.settling.reservation.popped().len();
            first || bytes <= BATCH_BYTES
        });
        fits.count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::MemoryQueue;

    #[test]
    fn jobs_of_another_app_are_not_asked_for_because_a_php_child_is_free() {
        let own = Connection::of(MemoryQueue::new());
        let other = Connection { has_pool: false, ..own.clone() };
        let [mut own, mut other] = [own, other].map(|one| Line::new("default", 0, Arc::new(one)));
        let (now, full) = (Instant::now(), Free { native: 0, php: 2 });
        assert_eq!((own.want(full, now), other.want(full, now)), (2, 0));
        assert_eq!((own.acts_on_due(full), other.acts_on_due(full)), (true, false));
        assert_eq!(other.want(Free { native: 3, php: 2 }, now), 3);
        // Its head may be a job of the other kind; of the other app's it is none.
        own.block(false, now);
        other.block(false, now);
        assert!(own.looks_at(full).is_some() && other.looks_at(full).is_none());
    }
}
