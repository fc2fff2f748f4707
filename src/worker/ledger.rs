//! The ledger: the one owner of every held reservation, and of every reserve, renew and settle.
//!
//! One task. Attempts send it their settlements; nothing that it has sent to Redis is ever cancelled. It ends last:
//! after every handler is gone and every reservation is settled, handed back or knowingly left to its lease.
//! Counterpart in PHP: none; there a process holds one job at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Shared;
use super::attempt::{self, Ticket};
use super::desk::{Desk, Id, Say};
use super::line::{Line, Pending};
use super::stop::StopReason;
use crate::control::Signal;
use crate::events::{Event, HandBack};
use crate::handler::Route;
use crate::job::{Job, Payload, Settlement};
use crate::memory;
use crate::queue::{Error, Exchange, Reservation, Settling, Token};

/// Longest wait for a wake-up in one call.
const WAIT_SECONDS: f64 = 5.0;
/// Shortest pause between two polls, whatever `--sleep` says: the wake-ups are quicker anyway.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);

/// A reservation whose attempt is under way.
struct Held {
    reservation: Reservation,
    renewed: Instant,
    hand_back: CancellationToken,
    lost: Arc<AtomicBool>,
}

/// What came of one exchange.
struct Asked {
    /// Something was taken off the ready list.
    progressed: bool,
    /// What is still on it.
    left: u64,
}

/// What the worker is up to.
#[derive(Clone, Copy, PartialEq)]
enum Phase {
    /// Reserving and running.
    Working,
    /// Reserving nothing more, waiting for what runs.
    Draining(StopReason),
    /// Calling everything back.
    Leaving(StopReason),
}

pub(super) struct Ledger {
    shared: Arc<Shared>,
    lines: Vec<Line>,
    held: BTreeMap<Id, Held>,
    /// Called back while leaving; they go back together, in their first order.
    parting: Vec<(Id, Reservation, oneshot::Sender<bool>)>,
    next_id: Id,
    /// Slots in use: running or resting.
    busy: usize,
    /// Every attempt under way, to its last word.
    attempts: TaskTracker,
    say: mpsc::UnboundedSender<Say>,
    told: mpsc::UnboundedReceiver<Say>,
    waiting: Option<JoinHandle<Result<Option<String>, Error>>>,
    phase: Phase,
    /// A signal to stop has come.
    interrupted: bool,
    paused: bool,
    /// There may be jobs to reserve.
    hungry: bool,
    /// Jobs reserved that count towards `--max-jobs`.
    taken: u64,
    /// The last reserve over all queues emptied them, as far as their jobs are ours to run, and no job ended since.
    found_nothing: bool,
    started: Instant,
    last_job: Instant,
    next_poll: Instant,
    next_renewal: Instant,
    grace_ends: Option<Instant>,
    /// Redis is asked nothing before this: the last call failed.
    down_until: Option<Instant>,
    down_pause: Duration,
}

impl Ledger {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let (say, told) = mpsc::unbounded_channel();
        let now = Instant::now();
        let lines = shared.queues.iter().map(|name| Line::new(name)).collect();
        let next_renewal = now + third(&shared);
        let next_poll = now + shared.options.sleep.max(SHORTEST_SLEEP);
        Ledger {
            shared,
            lines,
            held: BTreeMap::new(),
            parting: Vec::new(),
            next_id: 0,
            busy: 0,
            attempts: TaskTracker::new(),
            say,
            told,
            waiting: None,
            phase: Phase::Working,
            interrupted: false,
            paused: false,
            hungry: true,
            taken: 0,
            found_nothing: false,
            started: now,
            last_job: now,
            next_poll,
            next_renewal,
            grace_ends: None,
            down_until: None,
            down_pause: Duration::ZERO,
        }
    }

    /// Works until there is a reason to stop, and everything held is settled.
    pub(super) async fn run(mut self, mut signals: mpsc::UnboundedReceiver<Signal>) -> StopReason {
        let mut signals_open = true;
        loop {
            while let Ok(say) = self.told.try_recv() {
                self.hear(say).await;
            }
            if let Some(reason) = self.step().await {
                self.attempts.close();
                self.attempts.wait().await;
                self.farewell().await;
                return reason;
            }
            if self.has_work() {
                // Attempts get a turn before the next call: what they settle meanwhile travels with it.
                tokio::task::yield_now().await;
                while let Ok(signal) = signals.try_recv() {
                    self.obey(signal);
                }
                continue;
            }
            self.listen();
            let wake_at = self.next_deadline();
            tokio::select! {
                Some(say) = self.told.recv() => self.hear(say).await,
                signal = signals.recv(), if signals_open => match signal {
                    Some(signal) => self.obey(signal),
                    None => signals_open = false,
                },
                answer = async { self.waiting.as_mut().expect("guarded").await }, if self.waiting.is_some() => {
                    self.waiting = None;
                    self.woken(answer.unwrap_or(Ok(None)));
                }
                () = tokio::time::sleep_until(wake_at) => self.timers(),
            }
        }
    }

    /// One round: renew what is due, settle what is pending, reserve what is free. A reason ends the worker.
    async fn step(&mut self) -> Option<StopReason> {
        let now = Instant::now();
        if self.down_until.is_some_and(|until| until > now) {
            return self.ended();
        }
        if now >= self.next_renewal {
            self.renew().await;
        }
        self.stop_checks();
        if matches!(self.phase, Phase::Leaving(_)) && self.held.is_empty() {
            self.part();
        }
        if self.may_reserve() {
            self.settle_pending(true).await;
            self.reserve().await;
        }
        self.settle_pending(false).await;
        self.stop_checks();
        self.ended()
    }

    fn ended(&self) -> Option<StopReason> {
        match self.phase {
            Phase::Working => None,
            Phase::Draining(reason) | Phase::Leaving(reason) => self.is_done().then_some(reason),
        }
    }

    fn is_done(&self) -> bool {
        self.held.is_empty()
            && self.parting.is_empty()
            && self.busy == 0
            && self.lines.iter().all(|line| line.pending.is_empty() && line.unsure.is_none())
    }

    /// Something can be done without waiting for anybody.
    fn has_work(&self) -> bool {
        if self.down_until.is_some_and(|until| until > Instant::now()) {
            return false;
        }
        let parting =
            matches!(self.phase, Phase::Leaving(_)) && self.held.is_empty() && !self.parting.is_empty();
        let pending = self.lines.iter().any(|line| !line.pending.is_empty() || line.unsure.is_some());
        parting
            || pending
            || self.may_reserve()
            || Instant::now() >= self.next_renewal
            || self.ended().is_some()
    }

    fn free(&self) -> usize {
        let options = &self.shared.options;
        let slots = if options.once { 1 } else { options.concurrency.max(1) };
        let free = slots.saturating_sub(self.busy);
        let cap = if options.once { 1 } else { options.max_jobs };
        if cap == 0 { free } else { free.min(cap.saturating_sub(self.taken) as usize) }
    }

    /// A reserve may find something and there is room for it; not while renewals lag, for then what is expired may be
    /// our own.
    fn may_reserve(&self) -> bool {
        let half = Duration::from_secs_f64(self.shared.options.lease_seconds() as f64 / 2.0);
        self.hungry
            && self.phase == Phase::Working
            && !self.paused
            && self.free() > 0
            && self.down_until.is_none_or(|until| until <= Instant::now())
            && self.held.values().all(|held| held.renewed.elapsed() < half)
    }

    /// Asks the queues in strict order for as many jobs as there are free slots.
    async fn reserve(&mut self) {
        let (mut asked_all, mut again) = (true, false);
        for index in 0..self.lines.len() {
            let asked = Instant::now();
            let want = self.lines[index].want(self.free(), asked);
            if want == 0 {
                asked_all &= self.free() > 0;
                continue;
            }
            let Some(Asked { progressed, left }) = self.exchange(index, want).await else {
                return;
            };
            let line = &mut self.lines[index];
            // The probe found no job that is nobody's: ask as usual again.
            line.probe = line.probe.filter(|probe| probe.at > asked);
            let more = left > 0 || line.next_due.is_some_and(|due| due <= self.shared.clock.now());
            again |= line.probe.is_none() && progressed && more;
        }
        self.hungry = again || !asked_all;
        self.found_nothing = !self.hungry;
        if self.found_nothing {
            self.next_poll = Instant::now() + self.shared.options.sleep.max(SHORTEST_SLEEP);
        }
    }

    /// Sends what is pending on every queue; where a reserve follows, the first queue's goes along with that.
    async fn settle_pending(&mut self, reserve_follows: bool) {
        for index in 0..self.lines.len() {
            while !self.lines[index].pending.is_empty() || self.lines[index].unsure.is_some() {
                let line = &self.lines[index];
                let goes_along = reserve_follows
                    && index == 0
                    && line.unsure.is_none()
                    && line.batch() == line.pending.len()
                    && line.want(self.free(), Instant::now()) > 0;
                if goes_along {
                    break;
                }
                if self.exchange(index, 0).await.is_none() {
                    return;
                }
            }
        }
    }

    /// One exchange with one queue; no answer where it failed.
    async fn exchange(&mut self, index: usize, want: usize) -> Option<Asked> {
        let shared = self.shared.clone();
        let line = &mut self.lines[index];
        let name = line.name.clone();
        if let Some((token, sent)) = line.unsure {
            match shared.queue.recover(&name, token).await {
                Ok(recovered) => {
                    self.lines[index].unsure = None;
                    self.up();
                    self.take(index, recovered, sent);
                }
                Err(error) => {
                    self.down(&error);
                    return None;
                }
            }
            return Some(Asked { progressed: true, left: 1 });
        }
        let mut batch: Vec<Pending> = line.pending.drain(..line.batch()).collect();
        let mut answers = Vec::with_capacity(batch.len());
        let mut settle = Vec::with_capacity(batch.len());
        for Pending { id, settling, answer, sent } in batch.drain(..) {
            settle.push(settling);
            answers.push((id, answer, sent));
        }
        let now = shared.clock.now();
        let token = Token::random();
        let lease = shared.options.lease_seconds();
        let ask = Exchange { settle: &settle, want, token, now, lease, woken: line.woken };
        match shared.queue.exchange(&name, ask).await {
            Ok(done) => {
                self.up();
                let line = &mut self.lines[index];
                if want > 0 {
                    line.woken = 0;
                    line.next_due = done.next_due;
                }
                for ((settling, (_, answer, sent)), held) in settle.into_iter().zip(answers).zip(done.settled)
                {
                    settling.reservation.close();
                    if let Some(answer) = answer {
                        let _ = answer.send(held || sent);
                    }
                }
                let progressed = !done.reserved.is_empty() || !done.quarantined.is_empty();
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
                let resend = settle.into_iter().zip(answers);
                let resend =
                    resend.map(|(settling, (id, answer, _))| Pending { id, settling, answer, sent: true });
                let line = &mut self.lines[index];
                let later = std::mem::take(&mut line.pending);
                line.pending = resend.chain(later).collect();
                if want > 0 {
                    line.unsure = Some((token, now));
                }
                self.down(&error);
                None
            }
        }
    }

    /// Starts an attempt for each reservation that has a route; the others go back at once.
    fn take(&mut self, index: usize, reserved: Vec<Reservation>, reserved_at: i64) {
        let (mut routed, mut back) = (false, false);
        for reservation in reserved {
            let payload = match Payload::parse(reservation.popped().clone()) {
                Ok(payload) => payload,
                Err(error) => {
                    let (queue, bytes) = (reservation.queue().clone(), reservation.popped().len());
                    self.shared.events.emit(Event::Quarantined { queue, bytes, reason: error.to_string() });
                    self.pend(index, reservation, Settlement::Quarantine, None);
                    continue;
                }
            };
            let job = Job {
                connection: self.shared.connection.clone(),
                queue: reservation.queue().clone(),
                attempts: reservation.attempts(),
                payload,
            };
            let still_running = reservation.attempts() > 1
                && self.held.values().any(|held| held.reservation.same_job(&reservation));
            let why = if self.phase != Phase::Working {
                HandBack::Stopping
            } else if still_running {
                HandBack::StillRunning
            } else {
                match self.shared.routes.of(&job.payload) {
                    Route::To(handler) => {
                        routed = true;
                        self.start(job, reservation, handler, reserved_at);
                        continue;
                    }
                    Route::Back(why) => why,
                }
            };
            back = true;
            self.shared.events.emit(Event::HandedBack { job, why });
            self.pend(index, reservation, Settlement::HandBack, None);
        }
        let line = &mut self.lines[index];
        if back {
            line.hold_off(Instant::now());
        } else if routed {
            line.probe = None;
        }
    }

    fn start(
        &mut self,
        job: Job,
        reservation: Reservation,
        handler: Arc<dyn crate::handler::Handler>,
        reserved_at: i64,
    ) {
        let id = self.next_id;
        self.next_id += 1;
        self.busy += 1;
        self.taken += 1;
        let hand_back = CancellationToken::new();
        let lost = Arc::new(AtomicBool::new(false));
        let desk = Desk::new(id, self.say.clone());
        let held =
            Held { reservation, renewed: Instant::now(), hand_back: hand_back.clone(), lost: lost.clone() };
        self.held.insert(id, held);
        let ticket = Ticket { job, handler, reserved_at, hand_back, lost, desk };
        self.attempts.spawn(attempt::work(ticket, self.shared.clone()));
    }

    fn pend(
        &mut self,
        index: usize,
        reservation: Reservation,
        settlement: Settlement,
        answer: Option<oneshot::Sender<bool>>,
    ) {
        let settling = Settling { reservation, settlement };
        self.lines[index].pending.push(Pending { id: 0, settling, answer, sent: false });
    }

    async fn hear(&mut self, say: Say) {
        match say {
            Say::Settle(id, settlement, answer) => {
                let Some(held) = self.release_slot(id) else { return };
                if held.lost.load(Ordering::Relaxed) {
                    held.reservation.close();
                    let _ = answer.send(false);
                } else {
                    let index = self.line_of(&held.reservation);
                    self.pend(index, held.reservation, settlement, Some(answer));
                }
            }
            Say::HandBack(id, answer) => {
                let Some(held) = self.release_slot(id) else { return };
                self.taken = self.taken.saturating_sub(1);
                self.parting.push((id, held.reservation, answer));
            }
            Say::Confirm(id, answer) => {
                let held = self.confirm(id).await;
                let _ = answer.send(held);
            }
            Say::Abandon(id) => {
                if let Some(held) = self.release_slot(id) {
                    held.reservation.close();
                }
            }
            Say::Rested => {
                self.busy -= 1;
                self.hungry = true;
            }
        }
    }

    /// Takes a reservation off the books; its slot rests, where `--rest` says so, before it is free.
    fn release_slot(&mut self, id: Id) -> Option<Held> {
        let held = self.held.remove(&id)?;
        self.last_job = Instant::now();
        self.found_nothing = false;
        let rest = self.shared.options.rest;
        if rest.is_zero() || self.phase != Phase::Working {
            self.busy -= 1;
            self.hungry = true;
        } else {
            let desk = Desk::new(id, self.say.clone());
            tokio::spawn(async move {
                tokio::time::sleep(rest).await;
                desk.rested();
            });
        }
        Some(held)
    }

    fn line_of(&self, reservation: &Reservation) -> usize {
        self.lines
            .iter()
            .position(|line| line.name == *reservation.queue())
            .expect("reserved from a polled queue")
    }

    /// Renews one reservation now and tells whether it is still held; waits for Redis as long as it takes.
    async fn confirm(&mut self, id: Id) -> bool {
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
    async fn renew(&mut self) {
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

    /// Everything called back is gone: back to the head of its queue, in the first order.
    fn part(&mut self) {
        let mut parting = std::mem::take(&mut self.parting);
        parting.sort_by_key(|(id, ..)| *id);
        for (_, reservation, answer) in parting {
            let index = self.line_of(&reservation);
            if let Ok(payload) = Payload::parse(reservation.popped().clone()) {
                let (connection, queue) = (self.shared.connection.clone(), reservation.queue().clone());
                let job = Job { connection, queue, attempts: reservation.attempts(), payload };
                self.shared.events.emit(Event::HandedBack { job, why: HandBack::Stopping });
            }
            self.pend(index, reservation, Settlement::HandBack, Some(answer));
        }
    }

    fn stop_checks(&mut self) {
        if self.phase != Phase::Working {
            return;
        }
        let options = &self.shared.options;
        let ran = self.taken > 0 || self.found_nothing;
        // A round that found nothing and nothing running.
        let idle = self.busy == 0 && self.found_nothing;
        let reason = if options.memory.is_some_and(|limit| {
            limit > 0 && ran && memory::resident().is_some_and(|used| used >> 20 >= limit)
        }) {
            StopReason::Memory
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

    fn drain(&mut self, reason: StopReason) {
        self.phase = Phase::Draining(reason);
        if !self.held.is_empty() {
            self.shared.events.emit(Event::Draining { running: self.held.len() });
        }
    }

    fn obey(&mut self, signal: Signal) {
        match (signal, self.phase) {
            (Signal::Stop, phase) if !std::mem::replace(&mut self.interrupted, true) => {
                if phase == Phase::Working {
                    self.drain(StopReason::Interrupted);
                }
                self.grace_ends = self.shared.options.grace.map(|grace| Instant::now() + grace);
            }
            (Signal::Stop, Phase::Draining(reason)) => self.leave(reason),
            (Signal::Stop, _) => {}
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

    fn leave(&mut self, reason: StopReason) {
        self.phase = Phase::Leaving(reason);
        for held in self.held.values() {
            held.hand_back.cancel();
        }
    }

    /// Starts listening for wake-ups, where a slot is free to act on one.
    fn listen(&mut self) {
        let now = Instant::now();
        if self.waiting.is_some() || self.phase != Phase::Working || self.paused || self.free() == 0 {
            return;
        }
        if self.hungry || self.down_until.is_some_and(|until| until > now) {
            return;
        }
        let queues: Vec<String> =
            self.lines.iter().filter(|line| line.probe.is_none()).map(|line| line.name.to_string()).collect();
        if queues.is_empty() {
            return;
        }
        let queue = self.shared.queue.clone();
        self.waiting = Some(tokio::spawn(async move { queue.wait(&queues, WAIT_SECONDS).await }));
    }

    fn woken(&mut self, answer: Result<Option<String>, Error>) {
        match answer {
            Ok(Some(queue)) => {
                if let Some(line) = self.lines.iter_mut().find(|line| *line.name == *queue) {
                    line.woken += 1;
                }
                self.hungry = true;
            }
            Ok(None) => {}
            Err(error) => {
                self.down(&error);
            }
        }
    }

    /// Redis did not do what was asked: pause, and ask again.
    fn down(&mut self, error: &Error) {
        if self.down_until.is_none() {
            self.shared.events.emit(Event::QueueDown { error: error.to_string() });
        }
        self.down_pause = (self.down_pause * 2).clamp(Duration::from_millis(100), Duration::from_secs(1));
        self.down_until = Some(Instant::now() + self.down_pause);
        self.hungry = true;
    }

    fn up(&mut self) {
        if self.down_until.take().is_some() {
            self.down_pause = Duration::ZERO;
            self.shared.events.emit(Event::QueueUp);
        }
    }

    /// When there is something to do although nobody says anything.
    fn next_deadline(&self) -> Instant {
        let now = Instant::now();
        let options = &self.shared.options;
        let down = self.down_until.filter(|until| *until > now);
        let mut times = vec![down.unwrap_or(self.next_renewal)];
        times.extend(self.grace_ends.filter(|_| matches!(self.phase, Phase::Draining(_))));
        if self.phase == Phase::Working && down.is_none() && !self.paused && self.free() > 0 {
            times.push(self.next_poll);
            times.extend(self.lines.iter().filter_map(|line| line.probe).map(|probe| probe.at));
            if !options.stop_when_empty_for.is_zero() {
                times.push(self.last_job + options.stop_when_empty_for);
            }
            let due = self.lines.iter().filter_map(|line| line.next_due).min();
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

    fn timers(&mut self) {
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
        for line in &self.lines {
            let probe = line.probe.is_some_and(|probe| probe.at <= now);
            self.hungry |= probe || line.probe.is_none() && line.next_due.is_some_and(|due| due <= unix);
        }
        // Under --once the sleep after an empty poll is the end.
        if self.next_poll <= now && self.free() > 0 && !self.shared.options.once {
            self.next_poll = now + self.shared.options.sleep.max(SHORTEST_SLEEP);
            self.shared.events.emit(Event::PollFired);
            self.hungry = true;
        }
    }

    /// The last words to Redis: end a wait that is under way, and give back the tokens in hand.
    async fn farewell(&mut self) {
        if let Some(mut waiting) = self.waiting.take() {
            let answer = loop {
                self.shared.queue.wake().await;
                tokio::select! {
                    answer = &mut waiting => break answer,
                    // The wait may have reached Redis only after the wake.
                    () = tokio::time::sleep(Duration::from_millis(50)) => {}
                }
            };
            self.woken(answer.unwrap_or(Ok(None)));
        }
        for line in self.lines.iter().filter(|line| line.woken > 0) {
            let now = self.shared.clock.now();
            let ask = Exchange { now, woken: line.woken, ..Exchange::default() };
            if let Err(error) = self.shared.queue.exchange(&line.name, ask).await {
                self.shared.events.emit(Event::QueueDown { error: error.to_string() });
            }
        }
    }
}

/// The time between two renewals.
fn third(shared: &Shared) -> Duration {
    Duration::from_secs_f64(shared.options.lease_seconds() as f64 / 3.0)
}
