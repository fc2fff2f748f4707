//! Leases: every reservation that is held is renewed until its attempt has ended.
//!
//! One call for a queue and a third of a lease, not one for each job. Counterpart in PHP: none; there `retry_after` has
//! to be longer than the longest job.

use std::future::poll_fn;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;

use super::{Asked, Ledger, third};
use crate::events::Event;
use crate::queue::{BoxFuture, Error, Reservation};
use crate::worker::desk::Id;
use crate::worker::line::Line;

impl Ledger {
    /// Renews what attempts have asked to be sure of, and answers them. What could not be asked is asked again.
    pub(super) async fn confirm(&mut self) {
        for (id, answer) in std::mem::take(&mut self.confirming) {
            self.renew_when_due().await;
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
    pub(super) fn compare_clocks(&mut self, index: usize, now: i64, asked: Instant, redis: Option<i64>) {
        let Some(redis) = redis.filter(|_| !self.shared.clock.stands()) else { return };
        let ahead = now - redis;
        // An answer that took its time says nothing about clocks.
        let is_told = asked.elapsed() <= Duration::from_secs(1);
        if is_told && self.contacts[self.lines[index].nth].is_ahead(ahead) {
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

    /// Renews what is held where it is time to. Asked before each call, for each may take its whole deadline where Redis
    /// hangs, and there may be several that do.
    pub(super) async fn renew_when_due(&mut self) {
        if Instant::now() >= self.next_renewal {
            self.renew().await;
        }
    }

    /// Renews what is older than a sixth of the shortest lease, every third: so nothing ever gets older than half. One
    /// call a queue, and all at once: a Redis that hangs keeps no other from being asked.
    async fn renew(&mut self) {
        let third = third(&self.shared);
        let asked = Instant::now();
        self.next_renewal = asked + third;
        let mut due: Vec<Vec<Id>> = self.lines.iter().map(|_| Vec::new()).collect();
        for (&id, held) in &self.held {
            let is_known_lost = held.lost.load(Ordering::Relaxed);
            if held.renewed + third / 2 <= asked && !is_known_lost && !self.lines[held.line].is_away {
                due[held.line].push(id);
            }
        }
        let due: Vec<(usize, Vec<Id>)> =
            due.into_iter().enumerate().filter(|(_, ids)| !ids.is_empty()).collect();
        let answers = all(due.iter().map(|(index, ids)| self.renewed(*index, ids)).collect()).await;
        for ((index, ids), answers) in due.into_iter().zip(answers) {
            match answers {
                Ok(answers) => {
                    self.up(index);
                    let queue = self.lines[index].name.clone();
                    self.shared.events.emit(Event::Renewed { queue, jobs: ids.len() });
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

    /// One queue's renewal; says for each whether it is still held.
    fn renewed<'a>(&'a self, index: usize, ids: &'a [Id]) -> BoxFuture<'a, Result<Vec<bool>, Error>> {
        let Line { name, connection, .. } = &self.lines[index];
        let expires_at = self.shared.clock.now() + connection.options.lease_seconds();
        Box::pin(async move {
            let held: Vec<&Reservation> = ids.iter().map(|id| &self.held[id].reservation).collect();
            connection.queue.renew(name, &held, expires_at).await
        })
    }
}

/// Waits for all of them at once.
async fn all<T>(calls: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let mut calls: Vec<_> = calls.into_iter().map(|call| (call, None)).collect();
    poll_fn(|context| {
        let mut poll = Poll::Ready(());
        for (call, answer) in calls.iter_mut().filter(|(_, answer)| answer.is_none()) {
            match call.as_mut().poll(context) {
                Poll::Ready(said) => *answer = Some(said),
                Poll::Pending => poll = Poll::Pending,
            }
        }
        poll
    })
    .await;
    calls.into_iter().filter_map(|(_, answer)| answer).collect()
}
