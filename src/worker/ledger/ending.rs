//! Why and how a worker ends: stop reasons, signals, the hand-back of what is unfinished, the last words.
//!
//! Counterpart in PHP: `stopIfNecessary` and `listenForSignals` of `Illuminate\Queue\Worker`.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::{Ledger, Phase};
use crate::control::Signal;
use crate::events::{Event, HandBack};
use crate::handler::php::Pool;
use crate::job::{Job, Settlement};
use crate::memory;
use crate::queue::{Exchange, Reservation};
use crate::worker::desk::Say;
use crate::worker::line::Pending;
use crate::worker::stop::StopReason;

/// How long the last words may take.
const COURTESY: Duration = Duration::from_secs(2);
/// How long a worker that was told to stop waits for a Redis that is not there, where `--grace` does not say.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long attempts are waited for that have nothing left to settle, where the worker is to be gone.
const LAST_WAIT: Duration = Duration::from_secs(5);

impl Ledger {
    /// What was called back goes back once all are gone, so that their first order is kept; one handler that lingers
    /// does not keep the others for longer than a second.
    pub(super) fn parts_now(&self) -> bool {
        let leaving = matches!(self.phase, Phase::Leaving(_)) && !self.parting.is_empty();
        leaving && (self.held.is_empty() || self.part_at.is_some_and(|at| at <= Instant::now()))
    }

    /// Told to stop while Redis is not there: what is held stays reserved until its lease runs out.
    pub(super) fn gives_up(&mut self) -> bool {
        // What a PHP child has settled is pending here, and waits for this very end.
        let handlers_are_gone = self.held.len() == self.confirming.len();
        let time = self.give_up_at.is_some_and(|at| at <= Instant::now());
        if !self.is_cut_off() || !handlers_are_gone || !time {
            return false;
        }
        let pending: Vec<Pending> = self.lines.iter_mut().flat_map(|line| line.pending.drain(..)).collect();
        let pending: Vec<Reservation> = pending.into_iter().map(|pending| self.give_up(pending)).collect();
        let parting = self.parting.drain(..).map(|(_, _, reservation, _)| reservation);
        let held = std::mem::take(&mut self.held).into_values().map(|held| held.reservation);
        let left: Vec<Reservation> = pending.into_iter().chain(parting).chain(held).collect();
        self.confirming.clear();
        self.lines.iter_mut().for_each(|line| (line.unsure, line.woken) = (Vec::new(), 0));
        self.shared.events.emit(Event::LeftReserved { jobs: left.len() });
        left.into_iter().for_each(Reservation::close);
        true
    }

    /// What was sent without an answer counts as settled: a failed row must not be withdrawn of a job that may be gone.
    fn give_up(&self, pending: Pending) -> Reservation {
        let Pending { settling, answer, events, sent, .. } = pending;
        if sent {
            let (queue, payload) =
                (settling.reservation.queue().clone(), settling.reservation.popped().clone());
            self.shared.events.emit(Event::SettledUnseen { queue, payload });
            events.into_iter().for_each(|event| self.shared.events.emit(event));
            answer.map(|answer| answer.send(true));
        }
        settling.reservation
    }

    /// Back to the head of its queue, in the first order.
    pub(super) fn part(&mut self) {
        let mut parting = std::mem::take(&mut self.parting);
        parting.sort_by_key(|(id, ..)| *id);
        for (_, index, reservation, answer) in parting {
            let connection = &self.lines[index].connection;
            if let Ok(payload) = connection.queue.read(reservation.popped().clone()) {
                let (connection, queue) = (connection.name.clone(), reservation.queue().clone());
                let job = Job { connection, queue, attempts: reservation.attempts(), payload };
                self.shared.events.emit(Event::HandedBack { job, why: HandBack::Stopping });
            }
            self.pend(index, reservation, Settlement::HandBack, Vec::new(), Some(answer));
        }
    }

    pub(super) fn stop_checks(&mut self) {
        if self.phase != Phase::Working {
            return;
        }
        let options = &self.shared.options;
        let ran = self.taken > 0 || self.found_nothing;
        // A round that found nothing and nothing running.
        let down = self.pool().is_some_and(Pool::is_down);
        let idle = self.busy == 0 && self.in_php == 0 && (self.found_nothing || down);
        let reason = if options.memory.is_some_and(|limit| {
            limit > 0 && ran && memory::resident().is_some_and(|used| used >> 20 >= limit)
        }) {
            StopReason::Memory { status: options.memory_status }
        } else if options.once && (self.taken > 0 || idle && Instant::now() >= self.next_poll) {
            StopReason::Once
        } else if options.stop_when_empty && idle {
            StopReason::Empty
        } else if !options.stop_when_empty_for.is_zero()
            && idle
            && self.last_job.elapsed() >= options.stop_when_empty_for
        {
            StopReason::EmptyFor
        } else if !options.max_time.is_zero() && self.started.elapsed() >= options.max_time {
            StopReason::MaxTime
        } else if options.max_jobs > 0 && self.taken >= options.max_jobs {
            StopReason::MaxJobs
        } else {
            return;
        };
        self.drain(reason);
    }

    pub(super) fn drain(&mut self, reason: StopReason) {
        self.phase = Phase::Draining(reason);
        if let Some(pool) = self.pool() {
            pool.drain(reason == StopReason::Interrupted);
        }
        if !self.held.is_empty() {
            self.shared.events.emit(Event::Draining { running: self.held.len() });
        }
    }

    /// After `queue:restart`: the children are renewed by the pool; the worker itself ends where it would be started
    /// otherwise now.
    pub(super) fn ask_about_settings(&self) {
        let (shared, say) = (self.shared.clone(), self.say.clone());
        tokio::task::spawn_blocking(move || {
            if shared.settings_changed.as_ref().is_some_and(|changed| changed()) {
                let _ = say.send(Say::SettingsChanged);
            }
        });
    }

    pub(super) fn obey(&mut self, signal: Signal) {
        match (signal, self.phase) {
            (Signal::Stop, phase) if !std::mem::replace(&mut self.interrupted, true) => {
                if phase == Phase::Working {
                    self.drain(StopReason::Interrupted);
                }
                let grace = self.shared.options.grace;
                self.grace_ends = grace.map(|grace| Instant::now() + grace);
                self.give_up_at = Some(Instant::now() + grace.unwrap_or(PATIENCE));
            }
            (Signal::Stop, Phase::Draining(reason)) => {
                self.give_up_at = Some(Instant::now());
                self.leave(reason);
            }
            (Signal::Stop, _) => self.give_up_at = Some(Instant::now()),
            (Signal::Restart, Phase::Working) => self.drain(StopReason::Restart),
            (Signal::Restart, _) => {}
            (Signal::Pause, _) => {
                self.paused = true;
                self.shared.events.emit(Event::Paused);
            }
            (Signal::Resume, _) => {
                if std::mem::take(&mut self.paused) {
                    self.shared.events.emit(Event::Resumed);
                }
                self.hungry = true;
            }
        }
    }

    pub(super) fn leave(&mut self, reason: StopReason) {
        self.phase = Phase::Leaving(reason);
        self.part_at = Some(Instant::now() + Duration::from_secs(1));
        for held in self.held.values() {
            held.hand_back.cancel();
        }
    }

    /// Waits for attempts whose jobs are settled, and which do what follows, such as telling a job that it failed: as long
    /// as they like, unless Redis is gone, `--grace` is over or a second signal comes. A child that lingers then is ended
    /// with the pool.
    pub(super) async fn see_off(&mut self, mut signals: mpsc::UnboundedReceiver<Signal>) {
        let attempts = self.attempts.clone();
        attempts.close();
        let soon = Instant::now() + LAST_WAIT;
        let mut signals_open = true;
        loop {
            let is_leaving = self.is_cut_off() || matches!(self.phase, Phase::Leaving(_));
            let until = if is_leaving { Some(soon) } else { self.grace_ends.map(|at| at.max(soon)) };
            let over = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = attempts.wait() => return,
                signal = signals.recv(), if signals_open => match signal {
                    Some(signal) => self.obey(signal),
                    None => signals_open = false,
                },
                () = over => {
                    let jobs = attempts.len();
                    return tracing::warn!(jobs, "not waiting any longer for what jobs do after they have ended");
                }
            }
        }
    }

    /// The last words to Redis: end the waits that are under way, and give back the tokens in hand. Nothing is said to a
    /// connection that is away.
    pub(super) async fn farewell(&mut self) {
        for nth in 0..self.contacts.len() {
            let takes_nothing = !self.shared.connections[nth].rules.has_wake_ups;
            if takes_nothing || self.is_cut_off_from(nth) {
                self.contacts[nth].wait.take().iter().for_each(AbortHandle::abort);
            }
        }
        // Of a Redis that says nothing: a wake-up token is not worth the wait.
        let _ = tokio::time::timeout(COURTESY, self.wake_up()).await;
        self.waits.abort_all();
        for line in self.lines.iter().filter(|line| line.woken > 0 && !self.is_cut_off_from(line.nth)) {
            if self.contacts[line.nth].wait.is_some() {
                continue;
            }
            let now = self.shared.clock.now();
            let ask = Exchange { now, woken: line.woken, ..Exchange::default() };
            if let Err(error) = line.connection.queue.exchange(&line.name, ask).await {
                self.tell_down(line.nth, error.to_string());
            }
        }
    }

    /// Ends the waits that are under way.
    async fn wake_up(&mut self) {
        while !self.waits.is_empty() {
            for (connection, contact) in self.shared.connections.iter().zip(&self.contacts) {
                if contact.wait.is_some() {
                    connection.queue.wake().await;
                }
            }
            tokio::select! {
                Some(answer) = self.waits.join_next() => self.heard(answer),
                // A wait may have reached Redis only after the wake.
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
        }
    }
}
