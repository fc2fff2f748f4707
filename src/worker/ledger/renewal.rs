//! Leases: every reservation that is held is renewed until its attempt has ended.
//!
//! One call for a queue and a third of a lease, not one for each job. Counterpart in PHP: none; there `retry_after` has
//! to be longer than the longest job.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::{Asked, Held, Ledger, third};
use crate::events::Event;
use crate::queue::{Error, Reservation};
use crate::worker::desk::Id;
use crate::worker::line::Line;

impl Ledger {
    /// Renews what attempts have asked to be sure of, and answers them. What could not be asked is asked again.
    pub(super) async fn confirm(&mut self) {
        for (id, answer) in std::mem::take(&mut self.confirming) {
            let Some(held) = self.held.get_mut(&id) else {
                let _ = answer.send(false);
                continue;
            };
            let index = held.line;
            let Line { name, connection, is_away, .. } = &self.lines[index];
            if *is_away {
                self.confirming.push((id, answer));
                continue;
            }
            let expires_at = self.shared.clock.now() + connection.options.lease_seconds();
            let asked = Instant::now();
            match connection.queue.renew(name, &[&held.reservation], expires_at).await {
                Ok(answers) => {
                    held.renewed = asked;
                    let holds = answers.first() == Some(&true);
                    held.lost.fetch_or(!holds, Ordering::Relaxed);
                    let _ = answer.send(holds);
                    self.up(index);
                }
                Err(error) => {
                    self.confirming.push((id, answer));
                    self.down(index, &error);
                }
            }
        }
    }

    /// An attempt waits to be sure of its lease, and its queue can be asked.
    pub(super) fn confirms_now(&self) -> bool {
        let away = |id: &Id| self.held.get(id).is_some_and(|held| self.lines[held.line].is_away);
        self.confirming.iter().any(|(id, _)| !away(id))
    }

    /// Takes what a reserve took whose answer never came.
    pub(super) async fn look_for(&mut self, index: usize, unsure: usize) -> Option<Asked> {
        let Line { name, connection, .. } = &self.lines[index];
        let looked_for = self.lines[index].unsure[unsure];
        let expires_at = looked_for.sent + connection.options.lease_seconds();
        let looked = Instant::now();
        let found = match connection.queue.recover(name, looked_for.token, expires_at).await {
            Ok(found) => self.still_held(index, found).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => {
                let unsures = &mut self.lines[index].unsure;
                unsures.remove(unsure);
                unsures.extend(looked_for.again(looked).filter(|_| found.is_empty()));
                self.up(index);
                self.take(index, found, looked_for.sent);
                Some(Asked { progressed: true, left: 1 })
            }
            Err(error) => {
                self.down(index, &error);
                None
            }
        }
    }

    /// Warns where the clocks of this host and of Redis differ by more than whole seconds do anyway.
    pub(super) fn compare_clocks(&mut self, now: i64, asked: Instant, redis: Option<i64>) {
        let Some(redis) = redis.filter(|_| !self.shared.clock.stands()) else { return };
        let ahead = now - redis;
        // An answer that took its time says nothing about clocks.
        if asked.elapsed() > Duration::from_secs(1) || (ahead - self.told_skew).abs() < 2 {
            return;
        }
        self.told_skew = ahead;
        if ahead.abs() > 1 {
            self.shared.events.emit(Event::ClockSkew { ahead });
        }
    }

    /// Those of recovered reservations that are still held, renewed: their lease began with the reserve whose answer was
    /// lost.
    pub(super) async fn still_held(
        &self,
        index: usize,
        recovered: Vec<Reservation>,
    ) -> Result<Vec<Reservation>, Error> {
        let Line { name, connection, .. } = &self.lines[index];
        let expires_at = self.shared.clock.now() + connection.options.lease_seconds();
        let asked: Vec<&Reservation> = recovered.iter().collect();
        let answers = match asked.is_empty() {
            true => Ok(Vec::new()),
            false => connection.queue.renew(name, &asked, expires_at).await,
        };
        let (mut held, mut gone) = (Vec::new(), recovered);
        if let Ok(answers) = &answers {
            let pairs = std::mem::take(&mut gone).into_iter().zip(answers);
            for (reservation, holds) in pairs {
                if *holds { held.push(reservation) } else { gone.push(reservation) }
            }
        }
        gone.into_iter().for_each(Reservation::close);
        answers.map(|_| held)
    }

    /// Renews what is older than a sixth of a lease, one call a queue, every third: so nothing ever gets older than half.
    pub(super) async fn renew(&mut self) {
        let third = third(&self.shared);
        self.next_renewal = Instant::now() + third;
        for index in 0..self.lines.len() {
            let (name, connection) = (self.lines[index].name.clone(), self.lines[index].connection.clone());
            let expires_at = self.shared.clock.now() + connection.options.lease_seconds();
            let asked = Instant::now();
            let due: Vec<(Id, &Held)> = self
                .held
                .iter()
                .filter(|(_, held)| held.line == index && held.renewed + third / 2 <= asked)
                .filter(|(_, held)| !held.lost.load(Ordering::Relaxed))
                .map(|(&id, held)| (id, held))
                .collect();
            if due.is_empty() || self.lines[index].is_away {
                continue;
            }
            let reservations: Vec<&Reservation> = due.iter().map(|(_, held)| &held.reservation).collect();
            let ids: Vec<Id> = due.iter().map(|(id, _)| *id).collect();
            match connection.queue.renew(&name, &reservations, expires_at).await {
                Ok(answers) => {
                    self.up(index);
                    self.shared.events.emit(Event::Renewed { queue: name, jobs: ids.len() });
                    for (id, holds) in ids.into_iter().zip(answers) {
                        let held = self.held.get_mut(&id).expect("still on the books");
                        held.renewed = asked;
                        if !holds {
                            held.lost.store(true, Ordering::Relaxed);
                        }
                    }
                }
                // Renewed as soon as it is there again.
                Err(error) => self.down(index, &error),
            }
        }
    }
}
