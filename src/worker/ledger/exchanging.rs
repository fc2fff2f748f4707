//! Reserving and settling: what is pending and what is free travel to a queue in one call.
//!
//! Counterpart in PHP: `getNextJob` of `Illuminate\Queue\Worker`, and what a job's `delete()` and `release()` send.

use std::time::Duration;

use tokio::time::Instant;

use super::{Asked, Ledger, SHORTEST_SLEEP};
use crate::events::Event;
use crate::queue::{Exchange, Token};
use crate::worker::line::{Pending, Unsure};

/// How long the wake-ups of a queue are not listened to that has jobs of which none can be taken.
const QUIET: Duration = Duration::from_millis(100);

impl Ledger {
    /// Asks the queues in strict order for as many jobs as there are free slots.
    pub(super) async fn reserve(&mut self) {
        let (mut asked_all, mut again) = (true, false);
        for index in 0..self.lines.len() {
            self.renew_when_due().await;
            let asked = Instant::now();
            let want = self.lines[index].want(self.free(), asked);
            if want == 0 {
                asked_all &= self.free().any() > 0;
                continue;
            }
            let blocked_before = self.lines[index].blocked;
            let Some(Asked { progressed, left }) = self.exchange(index, want).await else {
                continue;
            };
            let line = &mut self.lines[index];
            // The probe found no job that is nobody's: ask as usual again.
            line.probe = line.probe.filter(|probe| probe.at > asked);
            let more = left > 0 || line.next_due.is_some_and(|due| due <= self.shared.clock.now());
            // Nothing is left, and nothing of what was taken goes back.
            if left == 0 && line.blocked == blocked_before {
                line.blocked = None;
            }
            again |= line.probe.is_none() && progressed && more;
            // As where equal payloads wait for each other: its wake-ups would come at once, again and again.
            line.quiet_until = (left > 0 && !progressed).then(|| asked + QUIET);
        }
        self.hungry = again || !asked_all;
        let quiet = !self.hungry;
        // What waits for a slot is still there.
        self.found_nothing = quiet && self.lines.iter().all(|line| line.blocked.is_none() && !line.is_away);
        if quiet {
            self.next_poll = Instant::now() + self.shared.options.sleep.max(SHORTEST_SLEEP);
        }
    }

    /// Sends what is pending on every queue; where a reserve follows on that queue, it goes along.
    pub(super) async fn settle_pending(&mut self, reserve_follows: bool) {
        for index in 0..self.lines.len() {
            while self.lines[index].has_something_to_say(reserve_follows || self.may_reserve()) {
                let line = &self.lines[index];
                let goes_along = reserve_follows
                    && line.unsure_now().is_none()
                    && line.batch() == line.pending.len()
                    && line.want(self.free(), Instant::now()) > 0;
                if goes_along {
                    break;
                }
                // Where it did not answer it is away now, and has nothing to say.
                self.exchange(index, 0).await;
                self.renew_when_due().await;
            }
        }
    }

    /// One exchange with one queue; no answer where it failed.
    pub(super) async fn exchange(&mut self, index: usize, want: usize) -> Option<Asked> {
        let shared = self.shared.clone();
        if let Some(unsure) = self.lines[index].unsure_now() {
            return self.look_for(index, unsure).await;
        }
        let line = &mut self.lines[index];
        let (name, connection) = (line.name.clone(), line.connection.clone());
        let mut batch: Vec<Pending> = line.pending.split_off(line.pending.len() - line.batch());
        let mut answers = Vec::with_capacity(batch.len());
        let mut settle = Vec::with_capacity(batch.len());
        for Pending { id, settling, answer, events, sent, lease_ends } in batch.drain(..) {
            settle.push(settling);
            answers.push((id, answer, events, sent, lease_ends));
        }
        let (now, asked) = (shared.clock.now(), Instant::now());
        let token = Token::random();
        let lease = connection.options.lease_seconds();
        let ask = Exchange { settle: &settle, want, token, now, lease, woken: line.woken };
        match connection.queue.exchange(&name, ask).await {
            Ok(done) => {
                self.up(index);
                self.compare_clocks(index, now, asked, done.redis_time);
                let line = &mut self.lines[index];
                line.woken = 0;
                if want > 0 {
                    line.next_due = done.next_due;
                }
                for ((settling, (_, answer, events, sent, lease_ends)), held) in
                    settle.into_iter().zip(answers).zip(done.settled)
                {
                    if !held && sent && lease_ends < Instant::now() {
                        let (queue, job) = (name.clone(), settling.reservation.popped().clone());
                        shared.events.emit(Event::SettledUnseen { queue, payload: job });
                    }
                    settling.reservation.close();
                    // Sent before and not found now: it took effect then.
                    let held = held || sent;
                    if held {
                        events.into_iter().for_each(|event| shared.events.emit(event));
                    }
                    if let Some(answer) = answer {
                        let _ = answer.send(held);
                    }
                }
                let progressed = !done.reserved.is_empty() || !done.quarantined.is_empty() || done.late;
                if done.unplaced > 0 {
                    if !progressed {
                        // What is at the head cannot be read and there is no room to set it aside.
                        self.lines[index].hold_off(Instant::now());
                    }
                    let (queue, payloads) = (name.clone(), done.unplaced);
                    shared.events.emit(Event::QuarantineFull { queue, payloads });
                }
                for (bytes, reason) in done.quarantined {
                    shared.events.emit(Event::Quarantined { queue: name.clone(), bytes, reason });
                }
                if want > 0 {
                    let (queue, jobs, left) = (name, done.reserved.len(), done.left);
                    shared.events.emit(Event::Reserved { queue, jobs, left });
                }
                self.take(index, done.reserved, now);
                Some(Asked { progressed, left: done.left })
            }
            Err(error) => {
                let now_sent = error.may_have_happened();
                let resend = settle.into_iter().zip(answers).map(
                    |(settling, (id, answer, events, sent, lease_ends))| Pending {
                        id,
                        settling,
                        answer,
                        events,
                        sent: sent || now_sent,
                        lease_ends,
                    },
                );
                let line = &mut self.lines[index];
                line.pending.extend(resend);
                if want > 0 && now_sent {
                    line.unsure.push(Unsure::new(token, now, asked));
                }
                self.down(index, &error);
                None
            }
        }
    }
}
