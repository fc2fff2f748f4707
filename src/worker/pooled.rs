//! One attempt in a PHP child: the child is `queue:work` itself, so it decides and says what becomes of the job; this
//! carries that out as it is said, and decides only where the child cannot any more.
//!
//! Never holds the reservation: the ledger does. Counterpart in PHP: what happens beside a worker process, in Supervisor
//! and in the next `pop()` after `retry_after`.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::attempt::{self, Failed};
use super::connection::Connection;
use super::desk::Desk;
use super::policy::{self, Attempt, Limits};
use crate::events::{Event, Fate, HandBack};
use crate::handler::php::{Assignment, Death, Pool, Report, Seat};
use crate::job::{Exception, Job, Outcome, Settlement};

/// How long after its time is up a child may take for Laravel's own end of it.
const LAST_STEPS: Duration = Duration::from_secs(2);
/// How long a child that asked for a job may take to read it, before it is given up.
const TAKING: Duration = Duration::from_secs(15);
/// The class under which a job fails whose process died; the runners declare it.
const CRASHED: &str = "Handover\\JobCrashed";

/// What an attempt in a child needs beside its job.
pub(super) struct Ticket {
    pub(super) job: Job,
    pub(super) connection: Arc<Connection>,
    pub(super) seat: Seat,
    pub(super) reserved: Vec<u8>,
    /// Unix second at which it was reserved.
    pub(super) reserved_at: i64,
    /// Cancelled when the job is to be handed back.
    pub(super) hand_back: CancellationToken,
    pub(super) desk: Desk,
}

/// What a child has said of its job.
#[derive(Default)]
struct Said {
    started: Option<Instant>,
    /// Held from its start to its end: what is told of the child's next job comes after.
    stage: Option<OwnedMutexGuard<()>>,
    /// The first settlement, and whether the reservation was still held.
    settled: Option<(Fate, bool)>,
    release_at: i64,
    threw: Option<Exception>,
    failed: Option<Exception>,
    timed_out: bool,
    /// Killed by us: its time was up and it did not end itself.
    overdue: bool,
}

/// Works the attempt to its end.
pub(super) async fn work(ticket: Ticket, shared: Arc<Shared>) {
    let Connection { options, rules, .. } = &*ticket.connection;
    let limits = Limits::of(&ticket.job.payload, options, rules);
    let mut said = Said::default();
    let (reports, told) = unbounded_channel();
    ticket.seat.run(assignment(&ticket.job, &ticket.reserved, &ticket.seat, None, reports));
    let death = follow(&ticket, told, &shared, &limits, &mut said).await;
    let Some(started) = said.started else {
        return never_started(&ticket, &shared).await;
    };
    let took = started.elapsed();
    match (said.settled, death) {
        (Some(_), death) => {
            if let Some(death) = &death {
                let (job, uuid) = (ticket.job.name(), ticket.job.payload.uuid());
                tracing::warn!(job, uuid, "its PHP process {} after the job was settled", death.how);
            }
            tell(&ticket.job, &shared, said, death.is_none(), took)
        }
        (None, None) => {
            // A string job's handler that settles nothing: stock leaves the job reserved.
            ticket.desk.abandon().await;
            shared.events.emit(Event::Processed { job: ticket.job.clone(), took, fate: Fate::Reserved });
        }
        (None, Some(_)) if ticket.hand_back.is_cancelled() => drop(ticket.desk.hand_back().await),
        (None, Some(death)) => bury(&ticket, &shared, &limits, &said, &death, took).await,
    }
    ticket.desk.left();
}

/// Carries out what the child says until it is done with the job; answers how it died, where it did.
async fn follow(
    ticket: &Ticket,
    mut told: UnboundedReceiver<Report>,
    shared: &Shared,
    limits: &Limits,
    said: &mut Said,
) -> Option<Death> {
    let mut called_back = false;
    let given = Instant::now();
    loop {
        let overdue = match said.started {
            _ if said.overdue => None,
            None => Some(given + TAKING),
            Some(_) if limits.timeout == 0 || shared.options.once => None,
            Some(at) => Some(at + Duration::from_secs(limits.timeout as u64) + LAST_STEPS),
        };
        let time_is_up = async {
            match overdue {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let report = tokio::select! {
            biased;
            report = told.recv() => report?,
            () = ticket.hand_back.cancelled(), if !called_back => {
                called_back = true;
                ticket.seat.kill();
                continue;
            }
            () = time_is_up => {
                said.overdue = true;
                ticket.seat.kill();
                continue;
            }
        };
        match report {
            Report::Started => {
                said.stage = Some(ticket.seat.stage().await);
                said.started = Some(Instant::now());
                shared.events.emit(Event::Processing { job: ticket.job.clone() });
            }
            Report::Confirm => {
                let held = ticket.desk.confirm().await;
                if !held && said.settled.is_none() {
                    ticket.desk.abandon().await;
                    said.settled = Some((Fate::Deleted, false));
                }
                ticket.seat.held(held);
            }
            Report::Deleted => settle(ticket, said, Settlement::Delete).await,
            Report::Released(at) => {
                said.release_at = at;
                match said.settled {
                    Some((_, true)) => release_again(ticket, said).await,
                    _ => settle(ticket, said, Settlement::Release { at }).await,
                }
            }
            Report::Threw(exception) => said.threw = Some(exception),
            Report::Failed(exception) => said.failed = Some(exception),
            Report::TimedOut => said.timed_out = true,
            Report::Ended => return None,
            Report::Died(death) => return Some(death),
        }
    }
}

/// The first settlement counts; what comes after it finds nothing, in Redis as here.
async fn settle(ticket: &Ticket, said: &mut Said, settlement: Settlement) {
    if said.settled.is_some() {
        return;
    }
    let fate = if settlement == Settlement::Delete { Fate::Deleted } else { Fate::Released };
    ticket.seat.soon();
    said.settled = Some((fate, ticket.desk.settle(settlement, Vec::new()).await));
}

/// A release puts the job aside whatever became of it before: one that was removed comes back, one that was released waits
/// until the later call's second.
async fn release_again(ticket: &Ticket, said: &mut Said) {
    let Ticket { job, connection, reserved, .. } = ticket;
    match connection.queue.later(&job.queue, reserved, said.release_at).await {
        Ok(()) => said.settled = Some((Fate::Released, true)),
        Err(error) => {
            let uuid = job.payload.uuid();
            tracing::error!(
                job = job.name(),
                uuid,
                "it was settled, then released, which did not reach Redis: {error}"
            );
        }
    }
}

/// The events of an attempt whose job is settled.
fn tell(job: &Job, shared: &Shared, said: Said, returned: bool, took: Duration) {
    let job = job.clone();
    let Some((fate, true)) = said.settled else {
        shared.events.emit(Event::LeaseLost { job, took });
        return;
    };
    let returned = returned && said.threw.is_none();
    if let Some(exception) = said.failed {
        shared.events.emit(Event::Failed { job: job.clone(), took, exception });
        if returned {
            shared.events.emit(Event::Processed { job, took, fate: Fate::Failed });
        }
        return;
    }
    match said.threw {
        Some(exception) if fate == Fate::Released => {
            let delay = said.release_at - shared.clock.now();
            shared.events.emit(Event::ReleasedAfterException { job, took, exception, delay });
        }
        _ => shared.events.emit(Event::Processed { job, took, fate }),
    }
}

/// The child was gone before it had the job: no attempt was spent.
async fn never_started(ticket: &Ticket, shared: &Shared) {
    if ticket.hand_back.is_cancelled() {
        ticket.desk.hand_back().await;
    } else {
        let job = ticket.job.clone();
        shared.events.emit(Event::HandedBack { job, why: HandBack::NoChild });
        ticket.desk.settle(Settlement::HandBack, Vec::new()).await;
    }
    ticket.desk.left();
}

/// The child died with the job unsettled: policy decides as for an exception or a timeout.
async fn bury(
    ticket: &Ticket,
    shared: &Arc<Shared>,
    limits: &Limits,
    said: &Said,
    death: &Death,
    took: Duration,
) {
    let Shared { events, clock, .. } = &**shared;
    let Connection { options, rules, .. } = &*ticket.connection;
    let job = ticket.job.clone();
    let time = Duration::from_secs(limits.timeout.max(0) as u64);
    let alarm = death.killed && limits.timeout > 0 && !options.once && took >= time;
    let timed_out = said.timed_out || said.overdue || alarm;
    let exception = if timed_out {
        Exception::new(rules.timeout_class, format!("{}{}", job.name(), rules.timed_out))
    } else {
        let mut message = format!("{}: its PHP process {}", job.name(), death.how);
        if !death.said.is_empty() {
            message.push_str(&format!("; it last printed: {}", death.said));
        }
        Exception::new(CRASHED, message)
    };
    let outcome = if timed_out { Outcome::TimedOut } else { Outcome::Threw(exception.clone()) };
    let now = clock.now();
    let retry_at = ticket.reserved_at + options.retry_after;
    let is_string_job = job.payload.command().is_none();
    let attempt =
        Attempt { attempts: job.attempts, name: job.name(), now, retry_at, goes_on: false, is_string_job };
    // Where a worker that is killed over a timeout leaves its job reserved, so does one that died otherwise.
    let decided = policy::decide(outcome, limits, attempt, options, rules);
    let Some(settlement) = decided.filter(|_| !rules.timeout_leaves_reserved) else {
        ticket.desk.abandon().await;
        let delay = (retry_at - now).max(0);
        return events.emit(Event::ReleasedAfterException { job, took, exception, delay });
    };
    match settlement {
        Settlement::Fail(exception) => {
            let Ticket { connection, reserved, desk, hand_back, .. } = ticket;
            let failing = attempt::Failing { job: &job, connection, reserved, desk, hand_back, by_app: true };
            let told = vec![Event::Failed { job: job.clone(), took, exception: exception.clone() }];
            if attempt::fail(failing, shared, &exception, told).await == Failed::LeaseLost {
                events.emit(Event::LeaseLost { job, took });
            }
        }
        settlement => {
            let delay = match settlement {
                Settlement::Release { at } => at - now,
                _ => 0,
            };
            let told = Event::ReleasedAfterException { job: job.clone(), took, exception, delay };
            if !ticket.desk.settle(settlement, vec![told]).await {
                events.emit(Event::LeaseLost { job, took });
            }
        }
    }
}

/// What came of letting the app fail a job.
pub(super) enum InPhp {
    /// It did all that it does about a failed job.
    Done,
    /// No child was there to do it, or none got to its end: it is ours to record.
    NotDone,
}

/// Lets the app itself fail a job: its `failed()`, its batch, its unique lock and its failed-jobs table, whatever that
/// is. The job is removed afterwards, by the caller. A child that does not come to an end within the job's own time, or
/// while the worker leaves, is ended.
pub(super) async fn fail_in_php(pool: &Pool, failing: &attempt::Failing<'_>, exception: &Exception) -> InPhp {
    let attempt::Failing { job, connection, reserved, hand_back, .. } = failing;
    let seat = tokio::select! {
        seat = pool.wait() => seat,
        () = hand_back.cancelled() => None,
    };
    let Some(seat) = seat else { return InPhp::NotDone };
    let (reports, mut told) = unbounded_channel();
    seat.run(assignment(job, reserved, &seat, Some(exception.message.clone()), reports));
    let timeout = Limits::of(&job.payload, &connection.options, &connection.rules).timeout;
    let time = if timeout > 0 { Duration::from_secs(timeout as u64) } else { TAKING };
    let time_is_up = tokio::time::sleep(time + LAST_STEPS);
    tokio::pin!(time_is_up);
    let mut killed = false;
    loop {
        tokio::select! {
            biased;
            report = told.recv() => match report {
                Some(Report::Ended) => return InPhp::Done,
                Some(Report::Died(_)) | None => return InPhp::NotDone,
                // Confirmed just before.
                Some(Report::Confirm) => seat.held(true),
                Some(_) => {}
            },
            () = hand_back.cancelled(), if !killed => {
                killed = true;
                seat.kill();
            }
            () = &mut time_is_up, if !killed => {
                killed = true;
                seat.kill();
            }
        }
    }
}

fn assignment(
    job: &Job,
    reserved: &[u8],
    seat: &Seat,
    fail: Option<String>,
    reports: tokio::sync::mpsc::UnboundedSender<Report>,
) -> Assignment {
    let id = job.payload.uuid().or_else(|| job.payload.id()).unwrap_or_default();
    Assignment {
        token: seat.token,
        queue: job.queue.to_string(),
        raw: job.payload.raw().clone(),
        reserved: reserved.to_vec(),
        fail,
        called: (id, job.name().to_owned()),
        reports,
    }
}
