//! One attempt, top to bottom: may it run, run it, decide, confirm the lease, record, settle, say so.
//!
//! Never holds the reservation: the ledger does, and this asks it. The handler runs in a task of its own, and an
//! attempt goes on only when that task is really gone. Counterpart in PHP: `Illuminate\Queue\Worker::process`.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::connection::Connection;
use super::desk::Desk;
use super::policy::{self, Attempt, Limits};
use super::pooled;
use crate::events::{Event, Fate, HandBack};
use crate::failed::FailedJob;
use crate::handler::{Bounds, Context, Handler};
use crate::job::{Exception, Interrupted, Job, Outcome, Settlement};

/// What an attempt needs beside its job.
pub(super) struct Ticket {
    pub(super) job: Job,
    pub(super) connection: Arc<Connection>,
    pub(super) handler: Arc<dyn Handler>,
    /// The bytes under `:reserved`, where there is a pool that may have to fail the job.
    pub(super) reserved: Vec<u8>,
    /// Unix second at which it was reserved.
    pub(super) reserved_at: i64,
    /// Cancelled when the job is to be handed back.
    pub(super) hand_back: CancellationToken,
    /// Set once the lease is known to be lost.
    pub(super) lost: Arc<AtomicBool>,
    pub(super) desk: Desk,
}

/// Works the attempt to its end.
pub(super) async fn work(ticket: Ticket, shared: Arc<Shared>) {
    let Shared { events, clock, .. } = &*shared;
    let connection = ticket.connection.clone();
    let Connection { options, rules, .. } = &*connection;
    let job = ticket.job.clone();
    let limits = Limits::of(&job.payload, options, rules);
    let started = Instant::now();
    events.emit(Event::Processing { job: job.clone() });

    let (outcome, ran) = match policy::exceeded_before(&limits, job.attempts, clock.now(), job.name(), rules)
    {
        Some(exception) => (Some(Outcome::Failed(exception)), false),
        None => (run(&ticket, &limits, &shared).await, true),
    };
    let took = started.elapsed();
    let Some(outcome) = outcome else {
        // What it asked somebody else to do may go on: nobody is to ask again before that must be over.
        if ticket.handler.goes_on_when_dropped() && !options.timeout_release_now {
            let at = ticket.reserved_at + options.retry_after;
            let told = vec![Event::HandedBack { job, why: HandBack::Stopping }];
            ticket.desk.settle(Settlement::HandBackLater { at }, told).await;
        } else {
            ticket.desk.hand_back().await;
        }
        return;
    };

    let thrown = match &outcome {
        Outcome::Threw(exception) => Some(exception.clone()),
        Outcome::TimedOut => {
            Some(Exception::new(rules.timeout_class, format!("{}{}", job.name(), rules.timed_out)))
        }
        _ => None,
    };
    let returned = ran && thrown.is_none();
    let attempt = Attempt {
        attempts: job.attempts,
        name: job.name(),
        now: clock.now(),
        retry_at: ticket.reserved_at + options.retry_after,
        goes_on: ticket.handler.goes_on_when_dropped(),
        is_string_job: job.payload.command().is_none(),
    };
    let now = attempt.now;
    let Some(settlement) = policy::decide(outcome, &limits, attempt, options, rules) else {
        ticket.desk.abandon().await;
        let delay = (attempt.retry_at - now).max(0);
        return events.emit(match thrown {
            Some(exception) => Event::ReleasedAfterException { job: job.clone(), took, exception, delay },
            None => Event::Processed { job: job.clone(), took, fate: Fate::Reserved },
        });
    };
    match settlement {
        Settlement::Fail(exception) => {
            let Ticket { job: failing, reserved, desk, hand_back, .. } = &ticket;
            let failing =
                Failing { job: failing, connection: &connection, reserved, desk, hand_back, by_app: false };
            let mut told = vec![Event::Failed { job: job.clone(), took, exception: exception.clone() }];
            if returned {
                told.push(Event::Processed { job: job.clone(), took, fate: Fate::Failed });
            }
            match fail(failing, &shared, &exception, told).await {
                Failed::Yes if rules.tells_the_job => tell_handler(&ticket, exception).await,
                Failed::Yes => {}
                Failed::LeaseLost => events.emit(Event::LeaseLost { job, took }),
                Failed::LeftReserved => {}
            }
        }
        settlement => {
            let released_at = match settlement {
                Settlement::Release { at } => Some(at),
                _ => None,
            };
            let told = match (released_at, thrown) {
                (Some(at), Some(exception)) => {
                    Event::ReleasedAfterException { job: job.clone(), took, exception, delay: at - now }
                }
                (Some(_), None) => Event::Processed { job: job.clone(), took, fate: Fate::Released },
                (None, _) => Event::Processed { job: job.clone(), took, fate: Fate::Deleted },
            };
            if !ticket.desk.settle(settlement, vec![told]).await {
                events.emit(Event::LeaseLost { job, took });
            }
        }
    }
}

/// The job's `failed` method, in a task of its own: it may panic.
async fn tell_handler(ticket: &Ticket, exception: Exception) {
    let (handler, job) = (ticket.handler.clone(), ticket.job.clone());
    if let Err(error) = tokio::spawn(async move { handler.failed(job, exception).await }).await {
        tracing::error!(job = ticket.job.name(), "what its handler does about a failed job: {error}");
    }
}

/// Runs the handler until it ends, its time is up or it is called back; `None` where it was called back.
async fn run(ticket: &Ticket, limits: &Limits, shared: &Shared) -> Option<Outcome> {
    // queue:work arms no alarm under --once.
    let timeout =
        (limits.timeout > 0 && !shared.options.once).then(|| Duration::from_secs(limits.timeout as u64));
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    let context = Context::new(
        ticket.job.clone(),
        shared.state.clone(),
        ticket.connection.producer(&shared.clock),
        deadline,
        ticket.hand_back.clone(),
        ticket.lost.clone(),
        Bounds {
            max_tries: limits.max_tries.max(0),
            backoff: Duration::from_secs(limits.backoff_after(ticket.job.attempts).max(0) as u64),
        },
    );
    let handler = ticket.handler.clone();
    let mut task = tokio::spawn(async move { handler.run(context).await });
    let time_is_up = async {
        match deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        biased;
        result = &mut task => return unless_interrupted(outcome_of(result).unwrap_or(Outcome::TimedOut), ticket),
        () = ticket.hand_back.cancelled() => None,
        () = time_is_up => Some(Outcome::TimedOut),
    };
    task.abort();
    // A handler that got to its end before the abort reached it did its work.
    match outcome_of(task.await) {
        Some(outcome) => unless_interrupted(outcome, ticket),
        None => ended,
    }
}

/// A handler that ended itself because it was told to did not throw: it was called back (`None`), or its time was up.
fn unless_interrupted(outcome: Outcome, ticket: &Ticket) -> Option<Outcome> {
    match &outcome {
        Outcome::Threw(exception) => match exception.interrupted {
            Some(Interrupted::Stopping) if ticket.hand_back.is_cancelled() => None,
            Some(Interrupted::TimedOut) => Some(Outcome::TimedOut),
            _ => Some(outcome),
        },
        _ => Some(outcome),
    }
}

/// What a handler's task ended with; `None` where it was aborted.
fn outcome_of(result: Result<Outcome, tokio::task::JoinError>) -> Option<Outcome> {
    match result {
        Ok(outcome) => Some(outcome),
        Err(error) if error.is_cancelled() => None,
        Err(error) => {
            let panic = error.into_panic();
            let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let message = message.or_else(|| panic.downcast_ref::<String>().cloned());
            let message = message.unwrap_or_else(|| "the handler panicked".to_owned());
            Some(Outcome::Threw(Exception::new("Error", message)))
        }
    }
}

/// A job that is about to fail.
pub(super) struct Failing<'a> {
    pub(super) job: &'a Job,
    pub(super) connection: &'a Connection,
    /// The bytes under `:reserved`.
    pub(super) reserved: &'a [u8],
    pub(super) desk: &'a Desk,
    pub(super) hand_back: &'a CancellationToken,
    /// By the app itself where a PHP child can: it was PHP's job.
    pub(super) by_app: bool,
}

/// What came of failing a job.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Failed {
    /// It is recorded and removed.
    Yes,
    /// The lease turned out lost; nothing was left behind.
    LeaseLost,
    /// It could not be recorded and the worker is to stop: it stays reserved, until its lease runs out.
    LeftReserved,
}

impl Failed {
    fn held(held: bool) -> Self {
        if held { Failed::Yes } else { Failed::LeaseLost }
    }
}

/// Records the failure, then removes the job; `told` are the events of that.
pub(super) async fn fail(
    failing: Failing<'_>,
    shared: &Shared,
    exception: &Exception,
    told: Vec<Event>,
) -> Failed {
    let Shared { events, clock, .. } = shared;
    let Failing { job, connection, desk, hand_back, by_app, .. } = failing;
    let Connection { failed, has_pool, .. } = connection;
    let pool = shared.pool.get().filter(|_| *has_pool);
    if !desk.confirm().await {
        // Another worker has it: off the books, or its slot would never be free and the worker never end.
        desk.abandon().await;
        return Failed::LeaseLost;
    }
    let record =
        FailedJob::new(&job.connection, &job.queue, &job.payload, exception.to_string(), clock.now());
    let mut pause = Duration::from_millis(200);
    let mut tried = false;
    let store = loop {
        if let Some(pool) = pool.filter(|_| by_app && !tried || failed.is_none()) {
            // Its hooks are not run twice where we can record the job ourselves.
            tried = true;
            let done = pooled::fail_in_php(pool, &failing, exception).await;
            if matches!(done, pooled::InPhp::Done) {
                break None;
            }
        }
        let error = match failed {
            Some(store) => tokio::select! {
                biased;
                recorded = store.record(&record) => match recorded {
                    Ok(()) => break Some(store),
                    Err(error) if error.is_final() => {
                        // Not for ever in its slot, and not lost: an operator finds it where unreadable payloads are.
                        let (job, exception) = (job.clone(), exception.clone());
                        let mut told = told;
                        told.push(Event::Unrecordable { job, error: error.to_string(), exception });
                        return Failed::held(desk.settle(Settlement::Quarantine, told).await);
                    }
                    Err(error) => error.to_string(),
                },
                // A store that hangs keeps nobody from stopping; the row may be there then, and is the job's next one's.
                () = hand_back.cancelled() => "it did not answer until the worker had to stop".to_owned(),
            },
            None => "only the app itself can write its failed-jobs table, and no PHP child is up".to_owned(),
        };
        events.emit(Event::StoreDown { job: job.clone(), error });
        tokio::select! {
            () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(5)),
            () = hand_back.cancelled() => {
                desk.abandon().await;
                events.emit(Event::LeftUnrecorded { job: job.clone(), exception: exception.clone() });
                return Failed::LeftReserved;
            }
        }
    };
    let settled = desk.settle(Settlement::Fail(exception.clone()), told).await;
    if !settled
        && let Some(store) = store
        && let Err(error) = store.withdraw(&record).await
    {
        events.emit(Event::StoreDown { job: job.clone(), error: error.to_string() });
    }
    Failed::held(settled)
}
