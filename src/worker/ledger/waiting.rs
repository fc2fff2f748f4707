//! What the ledger does while nobody says anything: listens for wake-ups, and looks again when something is due.
//!
//! Counterpart in PHP: `block_for`, and the sleep of `Illuminate\Queue\Worker`.

use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::Instant;

use super::{Ledger, Phase, SHORTEST_SLEEP, WAIT_SECONDS};
use crate::events::Event;
use crate::handler::php::Pool;
use crate::queue::Error;
use crate::worker::contact::Contact;
use crate::worker::health::Waiting;
use crate::worker::line::Line;

impl Ledger {
    /// Notes for whoever asks what the worker waits for, and tells it where that is trouble.
    pub(super) fn look_around(&mut self) {
        let waiting = self.waits_for();
        let what = waiting.to_string();
        if let Some(since) = self.shared.health.looked(waiting, self.held.len()) {
            self.shared.events.emit(Event::StillWaiting { what, since });
        }
    }

    fn waits_for(&self) -> Waiting {
        let mut outages = self.lines.iter().map(|line| &line.outage);
        if let Some(outage) = outages.find(|outage| outage.is_on()) {
            return Waiting::Redis(outage.error().to_owned());
        }
        if self.phase != Phase::Working {
            return Waiting::Drain;
        }
        if self.paused {
            return Waiting::Resumption;
        }
        if self.renewals_lag() {
            return Waiting::Renewals;
        }
        if self.pool().is_some_and(|pool| pool.ready() == 0) {
            return Waiting::Php;
        }
        if self.pool().is_some_and(Pool::is_down) {
            return Waiting::Maintenance;
        }
        match (self.free().any(), self.hungry) {
            (0, _) => Waiting::Slots,
            (_, true) => Waiting::Nothing,
            (_, false) => Waiting::Jobs,
        }
    }

    /// Starts listening for wake-ups, where a slot is free to act on one.
    pub(super) fn listen(&mut self) {
        if self.phase != Phase::Working || self.paused || self.free().any() == 0 {
            return;
        }
        if self.hungry {
            return;
        }
        // A queue that waits for a slot or for its next probe is asked then, whatever is pushed meanwhile.
        let (now, free) = (Instant::now(), self.free());
        for (nth, connection) in self.shared.connections.iter().enumerate() {
            let heard = |line: &&Line| line.nth == nth && line.acts_on_due(free) && !line.is_away;
            let heard = self.lines.iter().filter(heard).filter(|line| !line.is_quiet(now));
            let queues: Vec<String> = heard.map(|line| line.name.to_string()).collect();
            if queues.is_empty() || !self.contacts[nth].is_to_be_heard(now) {
                continue;
            }
            let queue = connection.queue.clone();
            let wait = self.waits.spawn(async move { (nth, queue.wait(&queues, WAIT_SECONDS).await) });
            self.contacts[nth].wait = Some(wait);
        }
    }

    /// A wait is over.
    pub(super) fn heard(&mut self, answer: Result<(usize, Result<Vec<String>, Error>), JoinError>) {
        // One that was aborted, or panicked, is one that nobody listens to any more, and the polls go on.
        let Ok((nth, answer)) = answer else { return };
        self.contacts[nth].wait = None;
        match answer {
            Ok(queues) => {
                self.shared.health.answered();
                if self.contacts[nth].hears() {
                    self.tell_up(nth);
                }
                for queue in queues {
                    let is_it = |line: &&mut Line| line.nth == nth && *line.name == *queue;
                    if let Some(line) = self.lines.iter_mut().find(is_it) {
                        line.woken += 1;
                    }
                    self.hungry = true;
                }
            }
            Err(error) => {
                let error = error.to_string();
                let once_more = self.contacts[nth].hears_nothing(error.clone(), Instant::now());
                // Where nothing else is answered either, that is told.
                if once_more && !self.is_cut_off_from(nth) {
                    self.contacts[nth].deafness_told();
                    self.tell_down(nth, error);
                }
                // A token may have been taken; and what does not wait may still answer.
                self.hungry = true;
            }
        }
    }

    /// When there is something to do although nobody says anything.
    pub(super) fn next_deadline(&self) -> Instant {
        let now = Instant::now();
        let options = &self.shared.options;
        let mut times = vec![self.next_renewal];
        times.extend(self.grace_ends.filter(|_| matches!(self.phase, Phase::Draining(_))));
        times.extend(self.part_at.filter(|at| *at > now && !self.parting.is_empty()));
        times.extend(self.give_up_at.filter(|at| *at > now && self.is_cut_off()));
        times.extend(self.contacts.iter().filter_map(Contact::deaf_until).filter(|until| *until > now));
        let there = || self.lines.iter().filter(|line| !line.is_away);
        times.extend(there().flat_map(|line| &line.unsure).map(|unsure| unsure.look_at));
        if self.phase == Phase::Working && !self.paused && self.free().any() > 0 {
            times.push(self.next_poll);
            times.extend(there().filter_map(|line| line.probe).map(|probe| probe.at));
            times.extend(there().filter_map(|line| line.quiet_until).filter(|until| *until > now));
            let free = self.free();
            times.extend(there().filter_map(|line| line.looks_at(free)));
            if !options.stop_when_empty_for.is_zero() {
                times.push(self.last_job + options.stop_when_empty_for);
            }
            let due = there().filter(|line| line.acts_on_due(free)).filter_map(|line| line.next_due).min();
            times.extend(
                due.map(|due| now + Duration::from_secs((due - self.shared.clock.now()).max(0) as u64)),
            );
        }
        if self.phase == Phase::Working && !options.max_time.is_zero() {
            times.push(self.started + options.max_time);
        }
        let soonest = times.into_iter().min().expect("the renewal is always there");
        // Whole seconds of the wall clock turn between two instants: look again shortly rather than spin.
        soonest.max(now + Duration::from_millis(5))
    }

    pub(super) fn timers(&mut self) {
        let now = Instant::now();
        let unix = self.shared.clock.now();
        if self.grace_ends.is_some_and(|at| at <= now)
            && let Phase::Draining(reason) = self.phase
        {
            self.leave(reason);
        }
        if self.phase != Phase::Working || self.paused {
            return;
        }
        let free = self.free();
        for line in self.lines.iter().filter(|line| !line.is_away) {
            let probe = line.probe.is_some_and(|probe| probe.at <= now);
            let look = line.looks_at(free).is_some_and(|at| at <= now);
            self.hungry |=
                look || probe || line.acts_on_due(free) && line.next_due.is_some_and(|due| due <= unix);
        }
        // Under --once the sleep after an empty poll is the end.
        if self.next_poll <= now && self.free().any() > 0 && !self.shared.options.once {
            self.next_poll = now + self.shared.options.sleep.max(SHORTEST_SLEEP);
            self.shared.events.emit(Event::PollFired);
            self.hungry = true;
        }
    }
}
