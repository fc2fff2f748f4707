//! Leases: every reservation that is held is renewed until its attempt has ended.
//!
//! One call for a queue and a third of a lease, not one for each job. Counterpart in PHP: none; there `retry_after` has
//! to be longer than the longest job.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::{Held, Ledger, third};
use crate::events::Event;
use crate::queue::Reservation;
use crate::worker::desk::Id;

impl Ledger {
    /// Renews one reservation now and tells whether it is still held; waits for Redis as long as it takes.
    pub(super) async fn confirm(&mut self, id: Id) -> bool {
        loop {
            let Some(held) = self.held.get_mut(&id) else { return false };
            let expires_at = self.shared.clock.now() + self.shared.options.lease_seconds();
            let asked = Instant::now();
            let queue = held.reservation.queue().clone();
            match self.shared.queue.renew(&queue, &[&held.reservation], expires_at).await {
                Ok(answers) => {
                    held.renewed = asked;
                    let holds = answers.first() == Some(&true);
                    if !holds {
                        held.lost.store(true, Ordering::Relaxed);
                    }
                    return holds;
                }
                Err(error) => {
                    self.down(&error);
                    tokio::time::sleep(self.down_pause).await;
                }
            }
        }
    }

    /// Renews what is older than a third of a lease, one call a queue.
    pub(super) async fn renew(&mut self) {
        let third = third(&self.shared);
        self.next_renewal = Instant::now() + third;
        let expires_at = self.shared.clock.now() + self.shared.options.lease_seconds();
        for index in 0..self.lines.len() {
            let name = self.lines[index].name.clone();
            let asked = Instant::now();
            let due: Vec<(Id, &Held)> = self
                .held
                .iter()
                .filter(|(_, held)| *held.reservation.queue() == name && held.renewed + third <= asked)
                .filter(|(_, held)| !held.lost.load(Ordering::Relaxed))
                .map(|(&id, held)| (id, held))
                .collect();
            if due.is_empty() {
                continue;
            }
            let reservations: Vec<&Reservation> = due.iter().map(|(_, held)| &held.reservation).collect();
            let ids: Vec<Id> = due.iter().map(|(id, _)| *id).collect();
            match self.shared.queue.renew(&name, &reservations, expires_at).await {
                Ok(answers) => {
                    self.up();
                    self.shared.events.emit(Event::Renewed { queue: name, jobs: ids.len() });
                    for (id, holds) in ids.into_iter().zip(answers) {
                        let held = self.held.get_mut(&id).expect("still on the books");
                        held.renewed = asked;
                        if !holds {
                            held.lost.store(true, Ordering::Relaxed);
                        }
                    }
                }
                Err(error) => {
                    self.down(&error);
                    self.next_renewal = Instant::now() + self.down_pause;
                    return;
                }
            }
        }
    }
}
