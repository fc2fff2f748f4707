//! What a worker is told: `queue:work`'s options under Laravel's names, and ours.
//!
//! Values only; where they come from is the business of `config`. Counterpart in PHP: `Illuminate\Queue\WorkerOptions`.

use std::time::Duration;

use super::policy::CENTURY;

/// The options of a worker; the defaults are those of `queue:work`.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkerOptions {
    /// Attempts of a job that names no limit of its own; 0 is unlimited.
    pub tries: i64,
    /// Seconds before a job that threw may run again: one number, or a comma list by attempt.
    pub backoff: String,
    /// Seconds a job may run that names no timeout of its own; 0 is unlimited.
    pub timeout: i64,
    /// Between polls of empty queues; wake-ups and due times do not wait for it.
    pub sleep: Duration,
    /// How long a slot rests after a job.
    pub rest: Duration,
    /// Run one job, or find none, and stop.
    pub once: bool,
    /// Stop when a reserve finds nothing and nothing runs.
    pub stop_when_empty: bool,
    /// Stop after this long without a job; zero is never.
    pub stop_when_empty_for: Duration,
    /// Reserve so many jobs, then stop; 0 is no limit.
    pub max_jobs: u64,
    /// Stop after this long; zero is never.
    pub max_time: Duration,
    /// Stop once this process holds so many megabytes; `None` is no limit.
    pub memory: Option<u64>,
    /// The exit code of that: 12, but 0 before think-queue 3.
    pub memory_status: u8,
    /// Jobs that run at once.
    pub concurrency: usize,
    /// The connection's `retry_after` in seconds.
    pub retry_after: i64,
    /// Length of a reservation in seconds, in place of `retry_after`.
    pub lease: Option<i64>,
    /// How long running jobs may go on after a signal to stop, before they are handed back; `None` waits.
    pub grace: Option<Duration>,
    /// Put jobs that were moved aside as timed out back to wait, where the framework moves them aside.
    pub reload_timeout: bool,
    /// A job that timed out and may run again does so at once, instead of after the rest of `retry_after`.
    pub timeout_release_now: bool,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        WorkerOptions {
            tries: 1,
            backoff: "0".into(),
            timeout: 60,
            sleep: Duration::from_secs(3),
            rest: Duration::ZERO,
            once: false,
            stop_when_empty: false,
            stop_when_empty_for: Duration::ZERO,
            max_jobs: 0,
            max_time: Duration::ZERO,
            memory: None,
            memory_status: 12,
            concurrency: 16,
            retry_after: 60,
            lease: None,
            grace: None,
            reload_timeout: false,
            timeout_release_now: false,
        }
    }
}

impl WorkerOptions {
    /// The same with times that no clock can overflow on: a century is for ever.
    pub(crate) fn bounded(mut self) -> Self {
        let century = Duration::from_secs(CENTURY as u64);
        for time in [&mut self.sleep, &mut self.rest, &mut self.stop_when_empty_for, &mut self.max_time] {
            *time = (*time).min(century);
        }
        self.grace = self.grace.map(|grace| grace.min(century));
        self.retry_after = self.retry_after.min(CENTURY);
        self.lease = self.lease.map(|lease| lease.min(CENTURY));
        self
    }

    /// For how many seconds a job is reserved and renewed at a time.
    pub fn lease_seconds(&self) -> i64 {
        self.lease.unwrap_or(self.retry_after).max(1)
    }
}
