//! What an operator should know beside the job lines: one log line an event, with its reason.
//!
//! Never a payload, never a secret. Counterpart in PHP: the exception handler's `report()`.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tracing::{debug, error, info, warn};

use crate::events::{Event, HandBack};
use crate::job::{Exception, Payload};

/// Classes that were warned of; beyond these many the warnings come again.
const REMEMBERED: usize = 1000;

/// A listener that logs by `tracing`.
pub fn log() -> impl Fn(&Event) + Send + Sync + 'static {
    let warned = Mutex::new(HashSet::new());
    let first = move |class: &str| {
        let mut warned = warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.len() >= REMEMBERED {
            warned.clear();
        }
        warned.insert(class.to_owned())
    };
    move |event| match event {
        Event::ReleasedAfterException { job, exception, delay, .. } => warn!(
            job = job.name(),
            uuid = job.payload.uuid(),
            attempts = job.attempts,
            "runs again in {delay} s: {}",
            reason(exception)
        ),
        Event::Failed { job, exception, .. } => error!(
            job = job.name(),
            uuid = job.payload.uuid(),
            attempts = job.attempts,
            "failed: {}",
            reason(exception)
        ),
        Event::LeaseLost { job, took } => warn!(
            job = job.name(),
            uuid = job.payload.uuid(),
            attempts = job.attempts,
            ?took,
            "the reservation was lost before the job ended: another worker has it, and nothing was done about it here"
        ),
        Event::HandedBack { job, why: HandBack::NoRoute { class } } if first(class) => {
            warn!(queue = %job.queue, "no handler takes [{class}]: its jobs are left to a PHP worker");
        }
        Event::HandedBack { job, why: HandBack::OnlyPhp { class, what } }
            if first(&format!("{class} {what}")) =>
        {
            warn!(queue = %job.queue, "[{class}] is left to a PHP worker: {what}");
        }
        Event::HandedBack { job, why } => {
            debug!(job = job.name(), uuid = job.payload.uuid(), ?why, "handed back, no attempt spent");
        }
        Event::Quarantined { queue, bytes, reason } => {
            warn!(%queue, bytes, "a payload was set aside in quarantine: {reason}");
        }
        Event::LeftUnread { queue, bytes, reason } => {
            warn!(%queue, bytes, "left reserved, and goes to the timeout list when that is over: {reason}");
        }
        Event::QuarantineFull { queue, payloads } if first(&format!("{queue} quarantine")) => error!(
            %queue,
            payloads,
            "the quarantine is full: what cannot be read stays in the queue and is in the way; look at it with queue:inspect"
        ),
        Event::QuarantineFull { .. } => {}
        Event::LeftReserved { jobs } => {
            warn!(jobs, "Redis is not there: what is held stays reserved until its lease runs out");
        }
        Event::StoreDown { job, error } => error!(
            job = job.name(),
            uuid = job.payload.uuid(),
            "the failed job could not be recorded and stays reserved until it is: {error}"
        ),
        Event::Unrecordable { job, error, exception } => error!(
            job = job.name(),
            uuid = job.payload.uuid(),
            "it failed, its failed-jobs store will never take it, and it is set aside in quarantine: {error}; it failed of {}",
            reason(exception)
        ),
        Event::LeftUnrecorded { job, exception } => error!(
            job = job.name(),
            uuid = job.payload.uuid(),
            "it failed, could not be recorded and stays reserved until its lease is over: {}: {}",
            exception.class,
            exception.message
        ),
        Event::SettledUnseen { queue, payload } => {
            let uuid = Payload::parse(payload.clone()).ok();
            let uuid = uuid.as_ref().and_then(Payload::uuid).unwrap_or_default();
            warn!(%queue, uuid, "the job was settled, but Redis did not confirm it while the lease lasted: another worker may have run it, too")
        }
        Event::ClockSkew { ahead } => warn!(
            "this host's clock is {} s {} Redis': delays and reservations are off by so much; set both by NTP",
            ahead.abs(),
            if *ahead > 0 { "ahead of" } else { "behind" }
        ),
        Event::QueueDown { connection, error } => error!(%connection, "{error}; trying again"),
        Event::StillWaiting { what, since } => warn!("waiting for {} s for {what}", since.as_secs()),
        Event::QueueUp { connection } => info!(%connection, "Redis answers again"),
        Event::Paused => info!("paused: no job is taken until SIGCONT"),
        Event::Resumed => info!("resumed"),
        Event::Reloaded { queue, jobs } => {
            info!(%queue, "timeout channel reload {jobs} messages to waiting channel success.");
        }
        Event::Draining { running } => info!("taking no more jobs, waiting for {running} that run"),
        Event::WorkerStarting { connection, queues } => info!(%connection, "working {}", queues.join(",")),
        Event::WorkerStopping { reason, status } => info!(status, "stopping: {reason}"),
        Event::PhpReady { pid, ready } => debug!(pid, ready, "a PHP child is ready"),
        Event::PhpEnded { pid, how, ready } => info!(pid, ready, "a PHP child {how}"),
        Event::PhpDoesNotBoot { how, said } => {
            error!("the app does not boot, no PHP job is taken until it does: PHP {how}; it said: {said}");
        }
        Event::Renewed { queue, jobs } => debug!(%queue, jobs, "reservations renewed"),
        Event::PollFired => debug!("the poll timer fired"),
        // These have job lines, or are on the progress line.
        Event::Reserved { .. } | Event::Processing { .. } | Event::Processed { .. } => {}
    }
}

/// Class and message of an exception, on one line and not too long: the whole stands in the failed-jobs table.
fn reason(exception: &Exception) -> String {
    let message = exception.message.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = message.char_indices().nth(1000).map_or(message.len(), |(end, _)| end);
    format!("{}: {}", exception.class, &message[..end])
}
