//! What attempts say to the ledger, and what it answers.
//!
//! An attempt never holds its reservation: it asks for it to be settled, confirmed or given up, by its number.

use tokio::sync::{mpsc, oneshot};

use crate::events::Event;
use crate::handler::php::News;
use crate::job::Settlement;

/// Number of a held reservation, in the order in which they were taken.
pub(super) type Id = u64;

/// One message to the ledger.
pub(super) enum Say {
    /// Settle it; the answer is whether it was still held. If it was, the events are told before anything else starts.
    Settle(Id, Settlement, Vec<Event>, oneshot::Sender<bool>),
    /// The handler was called back and is gone: put the job back with the others.
    HandBack(Id, oneshot::Sender<bool>),
    /// Renew it now; the answer is whether it is still held.
    Confirm(Id, oneshot::Sender<bool>),
    /// Leave it reserved and forget it.
    Abandon(Id),
    /// The slot has rested.
    Rested,
    /// A PHP child is done with its job.
    Left,
    /// A queue that did not answer was asked again: it answered, or still does not, and why.
    Reached(usize, Option<String>),
    /// What the pool has to tell.
    Pool(News),
    /// What the worker was started with has changed since.
    SettingsChanged,
}

/// One attempt's line to the ledger. The ledger outlives every attempt, so a missing answer means that the whole
/// worker was dropped: nothing was settled then.
pub(super) struct Desk {
    id: Id,
    in_php: bool,
    say: mpsc::UnboundedSender<Say>,
}

impl Desk {
    pub(super) fn new(id: Id, in_php: bool, say: mpsc::UnboundedSender<Say>) -> Self {
        Desk { id, in_php, say }
    }

    async fn ask(&self, say: impl FnOnce(Id, oneshot::Sender<bool>) -> Say) -> bool {
        let (answer, answered) = oneshot::channel();
        self.say.send(say(self.id, answer)).is_ok() && answered.await.unwrap_or(false)
    }

    pub(super) async fn settle(&self, settlement: Settlement, events: Vec<Event>) -> bool {
        self.ask(|id, answer| Say::Settle(id, settlement, events, answer)).await
    }

    pub(super) async fn hand_back(&self) -> bool {
        self.ask(Say::HandBack).await
    }

    pub(super) async fn confirm(&self) -> bool {
        self.ask(Say::Confirm).await
    }

    pub(super) async fn abandon(&self) {
        let _ = self.say.send(Say::Abandon(self.id));
    }

    pub(super) fn left(&self) {
        let _ = self.say.send(Say::Left);
    }

    pub(super) fn rested(&self) {
        let _ = self.say.send(Say::Rested);
    }
}

impl Drop for Desk {
    /// An attempt that panics outside its handler leaves its job to the lease, and its slot to others.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = self.say.send(Say::Abandon(self.id));
            if self.in_php {
                let _ = self.say.send(Say::Left);
            }
        }
    }
}
