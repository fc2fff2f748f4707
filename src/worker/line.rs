//! One polled queue as the ledger knows it: what waits to be settled there, and when to ask it again.
//!
//! Values only; the ledger acts on them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::desk::Id;
use crate::queue::{BATCH_BYTES, BATCH_JOBS, Settling, Token};

/// A settlement on its way.
pub(super) struct Pending {
    pub(super) id: Id,
    pub(super) settling: Settling,
    pub(super) answer: Option<oneshot::Sender<bool>>,
    /// It was sent before and the answer was lost: finding nothing then means that it took effect.
    pub(super) sent: bool,
}

/// One polled queue.
pub(super) struct Line {
    pub(super) name: Arc<str>,
    pub(super) pending: Vec<Pending>,
    /// Wake-up tokens in hand.
    pub(super) woken: usize,
    /// When the next delayed job or expired reservation is due, in Unix seconds.
    pub(super) next_due: Option<i64>,
    /// Tokens of reserves whose answer never came, and when they were sent.
    pub(super) unsure: Option<(Token, i64)>,
    /// Nothing is reserved before this: its head is a job that nobody here takes.
    pub(super) probe: Option<Probe>,
}

/// The pause before a queue is asked again whose head nobody here takes.
#[derive(Clone, Copy)]
pub(super) struct Probe {
    pub(super) at: Instant,
    pause: Duration,
}

impl Line {
    pub(super) fn new(name: &str) -> Self {
        Line { name: name.into(), pending: Vec::new(), woken: 0, next_due: None, unsure: None, probe: None }
    }

    /// How many jobs may be asked for: one at a time while its head was nobody's.
    pub(super) fn want(&self, free: usize, now: Instant) -> usize {
        match self.probe {
            None => free.min(BATCH_JOBS),
            Some(probe) if probe.at <= now => free.min(1),
            Some(_) => 0,
        }
    }

    /// A job came that nobody here takes: pauses of 1 s doubling to 30 s.
    pub(super) fn hold_off(&mut self, now: Instant) {
        let pause =
            self.probe.map_or(Duration::from_secs(1), |probe| (probe.pause * 2).min(Duration::from_secs(30)));
        self.probe = Some(Probe { at: now + pause, pause });
    }

    /// How many of the pending settlements one call carries.
    pub(super) fn batch(&self) -> usize {
        let mut bytes = 0;
        let fits = self.pending.iter().take(BATCH_JOBS).take_while(|pending| {
            let first = bytes == 0;
            bytes += pending.settling.reservation.popped().len();
            first || bytes <= BATCH_BYTES
        });
        fits.count()
    }
}
