//! Queues that do not answer: told once, looked after aside, and taken up again when they do.
//!
//! The ledger waits for none of them. Counterpart in PHP: the `sleep(1)` after a lost connection in
//! `Illuminate\Queue\Worker`.

use std::sync::Arc;

use tokio::time::Instant;

use super::{Ledger, Phase};
use crate::events::Event;
use crate::queue::Error;
use crate::worker::desk::Say;
use crate::worker::line::Line;

impl Ledger {
    /// Redis did not do what was asked of this queue: it is away, with those that fall with it, and each is looked after
    /// by a task of its own until it is there again. The others go on.
    pub(super) fn down(&mut self, index: usize, error: &Error) {
        let refused = error.is_refusal();
        let (failed, connection) = (self.lines[index].name.clone(), self.lines[index].connection.clone());
        for other in 0..self.lines.len() {
            let line = &mut self.lines[other];
            let is_near = Arc::ptr_eq(&line.connection, &connection);
            let falls =
                other == index || !refused && is_near && connection.queue.fall_together(&failed, &line.name);
            if falls && !line.is_away {
                line.outage.fails(error.to_string(), refused);
                line.is_away = true;
                self.look_after(other);
            }
        }
        self.tell_outage(index, error);
        self.hungry = true;
    }

    fn tell_outage(&mut self, index: usize, error: &Error) {
        let nth = self.lines[index].nth;
        if self.contacts[nth].told.is_new(error.cause()) {
            self.tell_down(nth, error.to_string());
        }
    }

    pub(super) fn tell_down(&self, nth: usize, error: String) {
        let connection = self.shared.connections[nth].name.clone();
        self.shared.events.emit(Event::QueueDown { connection, error });
    }

    pub(super) fn tell_up(&self, nth: usize) {
        let connection = self.shared.connections[nth].name.clone();
        self.shared.events.emit(Event::QueueUp { connection });
    }

    /// Asks a queue whether it is there again, without the ledger waiting for the answer.
    fn look_after(&self, index: usize) {
        let Line { name, connection, outage, .. } = &self.lines[index];
        let (queue, name, pause, say) =
            (connection.queue.clone(), name.clone(), outage.pause(), self.say.clone());
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            let answer = queue.size(&name).await;
            let _ = say.send(Say::Reached(index, answer.err()));
        });
    }

    pub(super) fn reached(&mut self, index: usize, error: Option<Error>) {
        if let Some(error) = error {
            self.lines[index].outage.fails(error.to_string(), error.is_refusal());
            self.tell_outage(index, &error);
            self.look_after(index);
            return;
        }
        self.lines[index].is_away = false;
        // What is held there comes first.
        self.next_renewal = Instant::now();
        self.hungry = true;
        if self.paused || self.phase != Phase::Working {
            // Perhaps nothing will be asked of it any more.
            self.up(index);
        }
    }

    pub(super) fn up(&mut self, index: usize) {
        self.shared.health.answered();
        let was_refusal = self.lines[index].outage.is_refusal();
        if !self.lines[index].outage.ends() {
            return;
        }
        let nth = self.lines[index].nth;
        let beside = self.lines.iter().filter(|line| line.nth == nth).map(|line| &line.outage);
        let still_on = beside.filter(|outage| outage.is_on());
        let (refused, gone): (Vec<_>, Vec<_>) = still_on.partition(|outage| outage.is_refusal());
        let all_is_well = gone.is_empty() && (refused.is_empty() || !was_refusal);
        if all_is_well && self.contacts[nth].told.clear() {
            self.tell_up(nth);
        }
    }

    /// Something that is held or to be said cannot be said now.
    pub(super) fn is_cut_off(&self) -> bool {
        self.lines.iter().any(|line| line.is_away)
    }

    /// The same of one connection.
    pub(super) fn is_cut_off_from(&self, nth: usize) -> bool {
        self.lines.iter().any(|line| line.nth == nth && line.is_away)
    }
}
