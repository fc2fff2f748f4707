//! Health: whether the worker gets on, and what it waits for.
//!
//! Tells progress, not presence: a worker whose Redis is gone, whose renewals lag or whose PHP does not boot is alive
//! and not healthy. Decides about values that the ledger notes; never asks anybody. Counterpart in PHP: none.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What a worker waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// Nothing: it reserves.
    Nothing,
    /// For jobs: its queues are empty.
    Jobs,
    /// For a slot: as many jobs run as may.
    Slots,
    /// For SIGCONT.
    Resumption,
    /// For `artisan up`.
    Maintenance,
    /// For its last jobs, to stop.
    Drain,
    /// For Redis, which did not answer this.
    Redis(String),
    /// For its own renewals, which lag: what has expired may be its own.
    Renewals,
    /// For a PHP child: none is ready.
    Php,
}

impl Waiting {
    /// Nothing gets on while it lasts, and nobody asked for that.
    pub fn is_trouble(&self) -> bool {
        matches!(self, Waiting::Redis(_) | Waiting::Renewals | Waiting::Php)
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Waiting::Nothing => f.write_str("nothing"),
            Waiting::Jobs => f.write_str("jobs"),
            Waiting::Slots => f.write_str("a free slot: as many jobs run as may"),
            Waiting::Resumption => f.write_str("SIGCONT: it is paused"),
            Waiting::Maintenance => f.write_str("artisan up: the app is down for maintenance"),
            Waiting::Drain => f.write_str("its last jobs: it stops"),
            Waiting::Redis(error) => write!(f, "Redis: {error}"),
            Waiting::Renewals => f.write_str("its renewals, which lag"),
            Waiting::Php => f.write_str("a PHP child: none is ready"),
        }
    }
}

/// How long trouble may last before a worker counts as not healthy.
const TROUBLE: Duration = Duration::from_secs(10);
/// The pause before trouble is told again.
const AGAIN: Duration = Duration::from_secs(30);

/// What the ledger notes, for whoever asks.
#[derive(Clone, Debug)]
pub struct Health(Arc<Mutex<Noted>>);

#[derive(Debug)]
struct Noted {
    waiting: Waiting,
    since: Instant,
    looked: Instant,
    answered: Instant,
    told: Option<Instant>,
    running: usize,
    /// Longer than this nothing is silent that gets on.
    silence: Duration,
}

/// An answer to whoever asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// It gets on.
    pub healthy: bool,
    /// What it waits for.
    pub waiting: Waiting,
    /// For how long.
    pub since: Duration,
    /// Jobs that run.
    pub running: usize,
    /// How long ago Redis last answered.
    pub answered: Duration,
}

impl Health {
    /// A worker that is about to begin.
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Health(Arc::new(Mutex::new(Noted {
            waiting: Waiting::Nothing,
            since: now,
            looked: now,
            answered: now,
            told: None,
            running: 0,
            silence: Duration::ZERO,
        })))
    }

    /// It begins now, with a lease of so long: it looks around each third of it at least.
    pub(super) fn begins(&self, lease: Duration) {
        let now = Instant::now();
        let mut noted = self.noted();
        (noted.since, noted.looked, noted.answered) = (now, now, now);
        noted.silence = lease / 3 + Duration::from_secs(15);
    }

    fn noted(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Redis has answered.
    pub(super) fn answered(&self) {
        self.noted().answered = Instant::now();
    }

    /// The ledger has looked around; answers how long trouble has lasted, where it is to be told (again).
    pub(super) fn looked(&self, waiting: Waiting, running: usize) -> Option<Duration> {
        let now = Instant::now();
        let mut noted = self.noted();
        (noted.looked, noted.running) = (now, running);
        if std::mem::discriminant(&noted.waiting) != std::mem::discriminant(&waiting) {
            (noted.since, noted.told) = (now, None);
        }
        noted.waiting = waiting;
        let since = now - noted.since;
        let due = noted.told.map_or(since >= TROUBLE, |told| now - told >= AGAIN);
        (noted.waiting.is_trouble() && due).then(|| {
            noted.told = Some(now);
            since
        })
    }

    /// How it stands now.
    pub fn report(&self) -> Report {
        let noted = self.noted();
        let silent = noted.looked.elapsed() > noted.silence;
        // Paused, it has nothing to ask Redis.
        let unanswered = noted.answered.elapsed() > noted.silence && noted.waiting != Waiting::Resumption;
        let trouble = noted.waiting.is_trouble() && noted.since.elapsed() >= TROUBLE;
        Report {
            healthy: !silent && !unanswered && !trouble,
            waiting: noted.waiting.clone(),
            since: noted.since.elapsed(),
            running: noted.running,
            answered: noted.answered.elapsed(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn trouble_makes_unhealthy_after_a_while_and_is_told_again_and_again() {
        let health = Health::new();
        health.begins(Duration::from_secs(90));
        let refused = || Waiting::Redis("refused".into());
        assert_eq!(health.looked(refused(), 2), None);
        assert!(health.report().healthy);
        tokio::time::advance(TROUBLE).await;
        assert_eq!(health.looked(refused(), 2), Some(TROUBLE));
        assert_eq!(health.looked(refused(), 2), None);
        let report = health.report();
        assert_eq!((report.healthy, report.running), (false, 2));
        tokio::time::advance(AGAIN).await;
        assert_eq!(health.looked(refused(), 2), Some(TROUBLE + AGAIN));
        health.answered();
        assert_eq!(health.looked(Waiting::Jobs, 0), None);
        assert!(health.report().healthy);
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_no_health_though_nothing_is_wrong() {
        let health = Health::new();
        health.begins(Duration::from_secs(90));
        tokio::time::advance(Duration::from_secs(46)).await;
        assert!(!health.report().healthy, "the ledger stands");
        assert_eq!(health.looked(Waiting::Slots, 1), None);
        assert!(!health.report().healthy, "Redis was not asked for too long");
        health.answered();
        assert!(health.report().healthy);
        tokio::time::advance(Duration::from_secs(46)).await;
        assert_eq!(health.looked(Waiting::Resumption, 0), None);
        assert!(health.report().healthy, "paused, and that was asked for");
    }
}
