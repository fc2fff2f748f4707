//! What the worker is told about its jobs and itself: the numbers and switches of `queue:work`, checked.
//!
//! Never looks at the app beyond what it was given. Counterpart in PHP: `gatherWorkerOptions` of
//! `Illuminate\Queue\Console\WorkCommand`.

use std::time::Duration;

use super::dialect::Defaults;
use super::{App, Error, Low};
use crate::worker::WorkerOptions;

/// Split at commas, not trimmed; an empty name or `0` is the connection's own queue.
pub(super) fn queues(typed: Option<&str>, default: &str) -> Vec<String> {
    let named = |name: &str| if matches!(name, "" | "0") { default.to_owned() } else { name.to_owned() };
    typed.unwrap_or(default).split(',').map(named).collect()
}

/// A number of seconds, fractions allowed.
pub(super) fn seconds(low: &Low, name: &'static str, default: f64) -> Result<Duration, Error> {
    let seconds: f64 = low.number(name, default)?;
    let given = || low.get(name).unwrap_or_default().to_owned();
    Duration::try_from_secs_f64(seconds).map_err(|_| Error::OutOfRange {
        name,
        must: "must be a number of seconds",
        given: given(),
    })
}

/// The worker's options: as typed, else as the app says, else the framework's defaults.
///
/// # Errors
/// Where a value is out of its range.
pub(super) fn of(low: &Low, app: Option<&App>, defaults: &Defaults) -> Result<WorkerOptions, Error> {
    let seconds = |name, default| seconds(low, name, default);
    let lease: Option<i64> = low.optional("lease")?;
    if let Some(lease) = lease.filter(|lease| *lease < 10) {
        let given = lease.to_string();
        return Err(Error::OutOfRange { name: "lease", must: "must be at least 10 seconds", given });
    }
    let concurrency = low.number("concurrency", app.and_then(|app| app.concurrency).unwrap_or(16))?;
    if concurrency == 0 {
        return Err(Error::OutOfRange { name: "concurrency", must: "must be at least 1", given: "0".into() });
    }
    let release = low.get("timeout-release");
    if let Some(given) = release.filter(|when| *when != "now" && *when != "lease") {
        let given = given.to_owned();
        return Err(Error::OutOfRange { name: "timeout-release", must: "must be now or lease", given });
    }
    let reload = low.get("reload");
    if let Some(given) = reload.filter(|list| *list != "timeout") {
        let given = given.to_owned();
        return Err(Error::OutOfRange { name: "reload", must: "must be timeout", given });
    }
    Ok(WorkerOptions {
        tries: low.number("tries", defaults.tries)?,
        backoff: match (low.get("backoff").filter(|list| !list.is_empty()), low.get("delay")) {
            (None, None) => app.and_then(|app| app.backoff.as_deref()).unwrap_or(defaults.backoff),
            (backoff, delay) => larger(backoff.unwrap_or("0"), delay.unwrap_or("0")),
        }
        .to_owned(),
        timeout: low.number("timeout", defaults.timeout)?,
        sleep: seconds("sleep", 3.0)?,
        rest: seconds("rest", 0.0)?,
        once: low.is_on("once") || defaults.once && !low.is_on("daemon"),
        stop_when_empty: low.is_on("stop-when-empty"),
        stop_when_empty_for: seconds("stop-when-empty-for", 0.0)?,
        max_jobs: low.number("max-jobs", 0)?,
        max_time: seconds("max-time", 0.0)?,
        memory: low.optional("memory")?,
        memory_status: defaults.memory_status,
        concurrency,
        retry_after: app.and_then(|app| app.retry_after).unwrap_or(defaults.retry_after),
        lease,
        grace: low.get("grace").map(|_| seconds("grace", 0.0)).transpose()?,
        reload_timeout: reload.is_some(),
        timeout_release_now: release == Some("now"),
    })
}

/// PHP's `max()` of two strings: as numbers where both are, else by their bytes.
fn larger<'a>(backoff: &'a str, delay: &'a str) -> &'a str {
    let smaller = match (backoff.trim().parse::<f64>(), delay.trim().parse::<f64>()) {
        (Ok(backoff), Ok(delay)) => backoff < delay,
        _ => backoff < delay,
    };
    if smaller { delay } else { backoff }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    fn low(options: &[(&str, &str)]) -> Low {
        let mut low = Low::default();
        options.iter().for_each(|(name, value)| low.flag(name, *value));
        low
    }

    #[test]
    fn queues_are_split_but_not_trimmed() {
        assert_eq!(queues(Some("high, low,,0"), "mine"), ["high", " low", "mine", "mine"]);
        assert_eq!(queues(None, "mine"), ["mine"]);
    }

    #[test]
    fn the_larger_back_off_counts_as_php_compares() {
        assert_eq!(larger("0", "10"), "10");
        assert_eq!(larger("9", "10"), "10");
        assert_eq!(larger("3,10", "0"), "3,10");
    }

    #[test]
    fn what_is_out_of_range_is_told_with_the_way_out() {
        for (option, value, told) in [
            ("lease", "9", "must be at least 10 seconds, [9] given"),
            ("concurrency", "0", "must be at least 1"),
            ("sleep", "-1", "must be a number of seconds, [-1] given"),
            ("timeout-release", "soon", "must be now or lease, [soon] given"),
        ] {
            let error = of(&low(&[(option, value)]), None, &Defaults::of(&Dialect::default()))
                .unwrap_err()
                .to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
