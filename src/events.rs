//! What happens, said once: the one source of job lines, logs and, later, metrics.
//!
//! Every module above may emit; nothing in here prints, counts or decides. Names are Laravel's where it has one.
//! Counterpart in PHP: `Illuminate\Queue\Events\*`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::job::{Exception, Job};

/// Something worth a line.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The worker is about to poll (`WorkerStarting`).
    WorkerStarting {
        /// The connection's name.
        connection: Arc<str>,
        /// The queues, in order of priority.
        queues: Vec<String>,
    },
    /// An attempt begins (`JobProcessing`).
    Processing {
        /// The job.
        job: Job,
    },
    /// An attempt ended without an exception (`JobProcessed`), also where the job released or failed itself.
    Processed {
        /// The job.
        job: Job,
        /// How long it ran.
        took: Duration,
        /// What became of it.
        fate: Fate,
    },
    /// An attempt threw or timed out and its job was released (`JobReleasedAfterException`).
    ReleasedAfterException {
        /// The job.
        job: Job,
        /// How long it ran.
        took: Duration,
        /// What was thrown.
        exception: Exception,
        /// Seconds until it may run again.
        delay: i64,
    },
    /// A job failed for good and was recorded (`JobFailed`).
    Failed {
        /// The job.
        job: Job,
        /// How long it ran.
        took: Duration,
        /// Why.
        exception: Exception,
    },
    /// A reservation turned out to be held no more: another worker has the job, nothing was done about it here.
    LeaseLost {
        /// The job.
        job: Job,
        /// How long it ran until that was seen.
        took: Duration,
    },
    /// A queue was asked for jobs.
    Reserved {
        /// The queue.
        queue: Arc<str>,
        /// How many were taken.
        jobs: usize,
        /// How many are left on the ready list.
        left: u64,
    },
    /// Reservations were renewed in one call.
    Renewed {
        /// The queue.
        queue: Arc<str>,
        /// How many.
        jobs: usize,
    },
    /// A job was put back at the head of its queue without spending an attempt.
    HandedBack {
        /// The job.
        job: Job,
        /// Why.
        why: HandBack,
    },
    /// A payload that no worker can read was set aside.
    Quarantined {
        /// The queue.
        queue: Arc<str>,
        /// Its size in bytes.
        bytes: usize,
        /// Why it cannot be read.
        reason: String,
    },
    /// A payload that no worker can read stays reserved, as its framework leaves it; once its reservation is over it goes
    /// where expired ones go.
    LeftUnread {
        /// The queue.
        queue: Arc<str>,
        /// Its size in bytes.
        bytes: usize,
        /// Why it cannot be read.
        reason: String,
    },
    /// Payloads that no worker can read could not be set aside, for the quarantine is full: they went to the end of
    /// their queue.
    QuarantineFull {
        /// The queue.
        queue: Arc<str>,
        /// How many.
        payloads: u64,
    },
    /// The worker stopped while Redis was not there: so many jobs stay reserved until their leases run out.
    LeftReserved {
        /// How many.
        jobs: usize,
    },
    /// The failed-job store will never take this record: the job was set aside in quarantine instead, with its attempts.
    Unrecordable {
        /// The job.
        job: Job,
        /// What the store said.
        error: String,
        /// Why the job failed.
        exception: Exception,
    },
    /// A failed job could not be recorded and the worker had to stop: the job stays reserved until its lease is over.
    LeftUnrecorded {
        /// The job.
        job: Job,
        /// Why it failed: its next attempt may only be told that its attempts are over.
        exception: Exception,
    },
    /// The poll timer fired: the safety net beside wake-ups and due times.
    PollFired,
    /// The failed-job store did not take a record; the job stays reserved and the record is tried again.
    StoreDown {
        /// The job.
        job: Job,
        /// What the store said.
        error: String,
    },
    /// A settlement was sent, its answer was lost, and Redis could not be asked again before the lease was over or the
    /// worker had to stop: whether this settlement took effect, or another worker has the job, is not known. It counts
    /// as settled, for a job that is lost without a trace would be worse.
    SettledUnseen {
        /// The queue.
        queue: Arc<str>,
        /// The job's payload, as it was popped.
        payload: bytes::Bytes,
    },
    /// The clocks of this host and of Redis differ: times are this host's, as in PHP, and reservations and delays are
    /// off by so much.
    ClockSkew {
        /// So many seconds this host's clock is ahead of Redis'; negative where it is behind.
        ahead: i64,
    },
    /// Redis could not be reached or refused; the worker tries again.
    QueueDown {
        /// The connection's name.
        connection: Arc<str>,
        /// What the queue said.
        error: String,
    },
    /// The worker waits for something without which nothing gets on; told again while it lasts.
    StillWaiting {
        /// For what.
        what: String,
        /// For how long.
        since: Duration,
    },
    /// The worker reserves again after it could not.
    QueueUp {
        /// The connection's name.
        connection: Arc<str>,
    },
    /// What was moved aside as timed out was put back to wait.
    Reloaded {
        /// The queue.
        queue: Arc<str>,
        /// How many jobs.
        jobs: u64,
    },
    /// Polling is held (SIGUSR2).
    Paused,
    /// Polling goes on (SIGCONT).
    Resumed,
    /// The worker takes no more jobs and waits for those that run.
    Draining {
        /// How many run.
        running: usize,
    },
    /// A PHP child has booted and waits for its first job.
    PhpReady {
        /// Its process id.
        pid: u32,
        /// Children that have booted and are not about to leave, this one included.
        ready: usize,
    },
    /// A PHP child has ended.
    PhpEnded {
        /// Its process id.
        pid: u32,
        /// In words: its exit code or the signal.
        how: String,
        /// Children left that have booted and are not about to leave.
        ready: usize,
    },
    /// PHP children end before they ask for a job. Told once, until one has booted.
    PhpDoesNotBoot {
        /// How the child ended.
        how: String,
        /// The end of what it printed.
        said: String,
    },
    /// The worker stops (`WorkerStopping`).
    WorkerStopping {
        /// Laravel's reason, e.g. `interrupted`.
        reason: &'static str,
        /// Laravel's exit code.
        status: u8,
    },
}

/// What became of a job whose attempt returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Removed: done, or deleted by itself.
    Deleted,
    /// Put aside until later, by its own wish.
    Released,
    /// Failed by its own wish.
    Failed,
    /// Left reserved: a string job's PHP handler that settled nothing.
    Reserved,
}

/// Why a job was handed back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandBack {
    /// The worker stops and its grace is over.
    Stopping,
    /// No route takes the class.
    NoRoute {
        /// The class.
        class: String,
    },
    /// A route takes the class, but the job asks for something that only PHP can do.
    OnlyPhp {
        /// The class.
        class: String,
        /// What it asks for.
        what: String,
    },
    /// Every PHP child is busy.
    NoFreeChild,
    /// The PHP child that it was for was gone before it had it.
    NoChild,
    /// Every slot for native jobs is in use.
    NoFreeSlot,
    /// It came back to this process while its earlier attempt still runs here.
    StillRunning,
}

/// Where events go: any number of listeners, called in order.
#[derive(Clone, Default)]
pub struct Events(Arc<Vec<Listener>>);

type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

impl Events {
    /// These listeners and one more.
    #[must_use]
    pub fn and(&self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        let mut listeners = Vec::clone(&self.0);
        listeners.push(Arc::new(listener));
        Events(Arc::new(listeners))
    }

    /// Tells every listener.
    pub fn emit(&self, event: Event) {
        for listener in self.0.iter() {
            listener(&event);
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Events({} listeners)", self.0.len())
    }
}
