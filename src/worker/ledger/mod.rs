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
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod away;
mod ending;
mod exchanging;
mod renewal;
mod waiting;

use super::Shared;
use super::attempt::{self, Ticket};
use super::connection::Connection;
use super::contact::Contact;
use super::desk::{Desk, Id, Say};
use super::line::{Free, Line, Pending};
use super::pooled;
use super::stop::StopReason;
use crate::control::Signal;
use crate::events::{Event, HandBack};
use crate::handler::php::{News, Pool, Seat};
use crate::handler::{Handler, Route};
use crate::job::{Job, Payload, Settlement};
use crate::queue::{Error, Reservation, Settling};

/// Longest wait for a wake-up in one call.
const WAIT_SECONDS: f64 = 5.0;
/// Shortest pause between two polls, whatever `--sleep` says: the wake-ups are quicker anyway.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);

/// A reservation whose attempt is under way.
struct Held {
    reservation: Reservation,
    /// Which of the lines it was taken from.
    line: usize,
    renewed: Instant,
    /// In a PHP child, not in a slot of this process.
    in_php: bool,
    hand_back: CancellationToken,
    lost: Arc<AtomicBool>,
}

/// Who runs a job.
enum Place {
    /// A handler, in a slot of this process.
    Slot(Arc<dyn Handler>),
    /// A PHP child.
    Child(Seat),
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
    parting: Vec<(Id, usize, Reservation, oneshot::Sender<bool>)>,
    /// Asked to be renewed before anything else is done about them.
    confirming: Vec<(Id, oneshot::Sender<bool>)>,
    next_id: Id,
    /// Slots of this process in use: running or resting.
    busy: usize,
    /// Jobs in PHP children, each until its child is done with it.
    in_php: usize,
    /// Every attempt under way, to its last word.
    attempts: TaskTracker,
    say: mpsc::UnboundedSender<Say>,
    told: mpsc::UnboundedReceiver<Say>,
    /// The waits for wake-ups that are under way, each with its connection's number.
    waits: JoinSet<(usize, Result<Vec<String>, Error>)>,
    /// By connection.
    contacts: Vec<Contact>,
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
    /// When what was called back goes back, whoever lingers.
    part_at: Option<Instant>,
    /// Told to stop, and Redis is not there: nothing is waited for any longer than this.
    give_up_at: Option<Instant>,
}

impl Ledger {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        let (say, told) = mpsc::unbounded_channel();
        let now = Instant::now();
        if shared.php.children > 0 {
            let tell = say.clone();
            let news = move |news| drop(tell.send(Say::Pool(news)));
            let pool = Pool::start(shared.php.clone(), shared.events.clone(), news);
            let _ = shared.pool.set(pool);
        }
        let connections = shared.connections.iter().enumerate();
        let lines = connections.flat_map(|(index, connection)| {
            connection.queues.iter().map(move |name| Line::new(name, index, connection.clone()))
        });
        let lines = lines.collect();
        let contacts = shared.connections.iter().map(|_| Contact::default()).collect();
        let next_renewal = now + third(&shared);
        let next_poll = now + shared.options.sleep.max(SHORTEST_SLEEP);
        Ledger {
            shared,
            lines,
            held: BTreeMap::new(),
            parting: Vec::new(),
            confirming: Vec::new(),
            next_id: 0,
            busy: 0,
            in_php: 0,
            attempts: TaskTracker::new(),
            say,
            told,
            waits: JoinSet::new(),
            contacts,
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
            part_at: None,
            give_up_at: None,
        }
    }

    /// Works until there is a reason to stop, and everything held is settled.
    pub(super) async fn run(mut self, mut signals: mpsc::UnboundedReceiver<Signal>) -> StopReason {
        let mut signals_open = true;
        loop {
            while let Ok(say) = self.told.try_recv() {
                self.hear(say);
            }
            if let Some(reason) = self.step().await {
                self.see_off(signals).await;
                if let Some(pool) = self.shared.pool.get() {
                    pool.close().await;
                }
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
            self.look_around();
            let wake_at = self.next_deadline();
            tokio::select! {
                Some(say) = self.told.recv() => self.hear(say),
                signal = signals.recv(), if signals_open => match signal {
                    Some(signal) => self.obey(signal),
                    None => signals_open = false,
                },
                Some(answer) = self.waits.join_next() => self.heard(answer),
                () = tokio::time::sleep_until(wake_at) => self.timers(),
            }
        }
    }

    /// One round: renew what is due, settle what is pending, reserve what is free. A reason ends the worker.
    async fn step(&mut self) -> Option<StopReason> {
        self.renew_when_due().await;
        self.stop_checks();
        if self.parts_now() {
            self.part();
        }
        self.confirm().await;
        if self.may_reserve() {
            self.settle_pending(true).await;
        }
        if self.may_reserve() {
            self.reserve().await;
        }
        self.settle_pending(false).await;
        self.stop_checks();
        self.ended()
    }

    fn ended(&mut self) -> Option<StopReason> {
        match self.phase {
            Phase::Working => None,
            Phase::Draining(reason) | Phase::Leaving(reason) => {
                (self.is_done() || self.gives_up()).then_some(reason)
            }
        }
    }

    fn is_over(&self) -> bool {
        self.phase != Phase::Working && self.is_done()
    }

    fn is_done(&self) -> bool {
        self.held.is_empty()
            && self.parting.is_empty()
            && self.busy == 0
            && self.in_php == 0
            && self.lines.iter().all(|line| line.pending.is_empty() && line.unsure.is_empty())
    }

    /// Something can be done without waiting for anybody.
    fn has_work(&self) -> bool {
        let parting = self.parts_now() || self.confirms_now();
        let reserves = self.may_reserve();
        let pending = self.lines.iter().any(|line| line.has_something_to_say(reserves));
        parting || pending || reserves || Instant::now() >= self.next_renewal || self.is_over()
    }

    fn free(&self) -> Free {
        let options = &self.shared.options;
        let used = self.busy + self.in_php;
        let cap = if options.once { 1 } else { options.max_jobs };
        let cap = if cap == 0 { usize::MAX } else { cap.saturating_sub(self.taken) as usize };
        let cap = if options.once { cap.min(1_usize.saturating_sub(used)) } else { cap };
        let slots = if self.shared.routes.is_empty() && self.pool().is_some() {
            0
        } else {
            options.concurrency.max(1)
        };
        let native = slots.saturating_sub(self.busy).min(cap);
        let php = self.pool().map_or(0, Pool::free).min(cap - native);
        Free { native, php }
    }

    fn pool(&self) -> Option<&Pool> {
        self.shared.pool.get()
    }

    /// A reserve may find something and there is room for it; not while renewals lag, for then what is expired may be
    /// our own.
    fn may_reserve(&self) -> bool {
        self.hungry
            && self.phase == Phase::Working
            && !self.paused
            && self.free().any() > 0
            && !self.renewals_lag()
    }

    /// The last renewal is older than half a lease.
    fn renewals_lag(&self) -> bool {
        self.held.values().any(|held| {
            let line = &self.lines[held.line];
            // Nothing is reserved from a queue that does not answer.
            held.renewed.elapsed() >= line.connection.lease() / 2 && !line.is_away
        })
    }

    /// Starts an attempt for each reservation that has a route; the others go back at once.
    fn take(&mut self, index: usize, reserved: Vec<Reservation>, reserved_at: i64) {
        let (mut routed, mut back) = (false, false);
        let now = Instant::now();
        for reservation in reserved {
            let connection = self.lines[index].connection.clone();
            let payload = match connection.queue.read(reservation.popped().clone()) {
                Ok(payload) => payload,
                Err(error) if error.stays_reserved() => {
                    let (queue, bytes) = (reservation.queue().clone(), reservation.popped().len());
                    self.shared.events.emit(Event::LeftUnread { queue, bytes, reason: error.to_string() });
                    reservation.close();
                    continue;
                }
                Err(error) => {
                    let (queue, bytes) = (reservation.queue().clone(), reservation.popped().len());
                    self.shared.events.emit(Event::Quarantined { queue, bytes, reason: error.to_string() });
                    self.pend(index, reservation, Settlement::Quarantine, Vec::new(), None);
                    continue;
                }
            };
            let job = Job {
                connection: connection.name.clone(),
                queue: reservation.queue().clone(),
                attempts: reservation.attempts(),
                payload,
            };
            let still_running = reservation.attempts() > 1
                && self
                    .held
                    .values()
                    .any(|held| held.line == index && held.reservation.same_job(&reservation));
            let why = if self.phase != Phase::Working {
                HandBack::Stopping
            } else if still_running {
                HandBack::StillRunning
            } else {
                match self.place(&job.payload, &connection) {
                    Ok(place) => {
                        routed = true;
                        self.lines[index].went(matches!(place, Place::Child(_)), now);
                        self.start(index, job, reservation, place, reserved_at);
                        continue;
                    }
                    Err(why) => why,
                }
            };
            match why {
                HandBack::NoFreeChild | HandBack::NoFreeSlot => {
                    self.lines[index].block(why == HandBack::NoFreeChild, now);
                    self.shared.events.emit(Event::HandedBack { job, why });
                    self.pend(index, reservation, Settlement::HandBack, Vec::new(), None);
                    continue;
                }
                _ => {}
            }
            back = true;
            self.shared.events.emit(Event::HandedBack { job, why });
            self.pend(index, reservation, Settlement::HandBack, Vec::new(), None);
        }
        let line = &mut self.lines[index];
        if back {
            line.hold_off(now);
        } else if routed {
            line.probe = None;
        }
    }

    /// Who runs this job now: its handler, else a PHP child.
    fn place(&self, payload: &Payload, connection: &Connection) -> Result<Place, HandBack> {
        match (self.shared.routes.of(payload), self.pool().filter(|_| connection.has_pool)) {
            (Route::To(_), _) if self.free().native == 0 => Err(HandBack::NoFreeSlot),
            (Route::To(handler), _) => Ok(Place::Slot(handler)),
            (Route::Back(_), Some(pool)) => pool.take().map(Place::Child).ok_or(HandBack::NoFreeChild),
            (Route::Back(why), None) => Err(why),
        }
    }

    fn start(&mut self, line: usize, job: Job, reservation: Reservation, place: Place, reserved_at: i64) {
        let id = self.next_id;
        self.next_id += 1;
        self.taken += 1;
        let in_php = matches!(place, Place::Child(_));
        *(if in_php { &mut self.in_php } else { &mut self.busy }) += 1;
        let hand_back = CancellationToken::new();
        let lost = Arc::new(AtomicBool::new(false));
        let desk = Desk::new(id, in_php, self.say.clone());
        let reserved = self.pool().map(|_| reservation.reserved()).unwrap_or_default();
        let (renewed, shared) = (Instant::now(), self.shared.clone());
        let connection = self.lines[line].connection.clone();
        let (called_back, known_lost) = (hand_back.clone(), lost.clone());
        let held = Held { reservation, line, renewed, in_php, hand_back: called_back, lost: known_lost };
        self.held.insert(id, held);
        match place {
            Place::Slot(handler) => {
                let ticket =
                    Ticket { job, connection, handler, reserved, reserved_at, hand_back, lost, desk };
                self.attempts.spawn(attempt::work(ticket, shared))
            }
            Place::Child(seat) => {
                let ticket = pooled::Ticket { job, connection, seat, reserved, reserved_at, hand_back, desk };
                self.attempts.spawn(pooled::work(ticket, shared))
            }
        };
    }

    fn pend(
        &mut self,
        index: usize,
        reservation: Reservation,
        settlement: Settlement,
        events: Vec<Event>,
        answer: Option<oneshot::Sender<bool>>,
    ) {
        let lease_ends = Instant::now() + self.lines[index].connection.lease();
        self.pend_until(lease_ends, index, Settling { reservation, settlement }, events, answer);
    }

    fn pend_until(
        &mut self,
        lease_ends: Instant,
        index: usize,
        settling: Settling,
        events: Vec<Event>,
        answer: Option<oneshot::Sender<bool>>,
    ) {
        self.lines[index].pending.push(Pending { id: 0, settling, answer, events, sent: false, lease_ends });
    }

    fn hear(&mut self, say: Say) {
        match say {
            Say::Settle(id, settlement, events, answer) => {
                let Some(held) = self.release_slot(id) else { return };
                if settlement == Settlement::HandBack {
                    self.taken = self.taken.saturating_sub(1);
                }
                if held.lost.load(Ordering::Relaxed) {
                    held.reservation.close();
                    let _ = answer.send(false);
                } else {
                    let index = held.line;
                    let lease_ends = held.renewed + self.lines[index].connection.lease();
                    let settling = Settling { reservation: held.reservation, settlement };
                    self.pend_until(lease_ends, index, settling, events, Some(answer));
                }
            }
            Say::HandBack(id, answer) => {
                let Some(held) = self.release_slot(id) else { return };
                self.taken = self.taken.saturating_sub(1);
                self.parting.push((id, held.line, held.reservation, answer));
            }
            Say::Confirm(id, answer) => self.confirming.push((id, answer)),
            Say::Abandon(id) => {
                if let Some(held) = self.release_slot(id) {
                    held.reservation.close();
                }
            }
            Say::Rested => {
                self.busy -= 1;
                self.hungry = true;
            }
            Say::Left => {
                self.in_php -= 1;
                self.hungry = true;
            }
            Say::Reached(index, error) => self.reached(index, error),
            // Where nothing was left to reserve, a child that waits changes nothing.
            Say::Pool(News::Free) => self.hungry |= self.lines.iter().any(|line| line.blocked.is_some()),
            // A worker that only runs what there is has nothing to wait for.
            Say::Pool(News::Down) => {}
            Say::Pool(News::Restart) => self.ask_about_settings(),
            Say::SettingsChanged => {
                if self.phase == Phase::Working {
                    self.drain(StopReason::Restart);
                }
            }
        }
    }

    /// Takes a reservation off the books; its slot rests, where `--rest` says so, before it is free.
    fn release_slot(&mut self, id: Id) -> Option<Held> {
        let held = self.held.remove(&id)?;
        self.last_job = Instant::now();
        self.found_nothing = false;
        let rest = self.shared.options.rest;
        if held.in_php {
            // Its child rests by itself, and says when it is free.
            self.hungry = true;
        } else if rest.is_zero() || self.phase != Phase::Working {
            self.busy -= 1;
            self.hungry = true;
        } else {
            let desk = Desk::new(id, false, self.say.clone());
            tokio::spawn(async move {
                tokio::time::sleep(rest).await;
                desk.rested();
            });
        }
        Some(held)
    }
}

/// The time between two renewals: a third of the shortest lease.
fn third(shared: &Shared) -> Duration {
    shared.connections.iter().map(|connection| connection.lease()).min().expect("its own") / 3
}
