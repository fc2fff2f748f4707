//! Which framework's jobs they are, from `--dialect` and `--dialect-version`.
//!
//! Never guesses: without the option it is Laravel. Counterpart in PHP: none; there the installed package decides.

use super::{Error, Low};
use crate::dialect::{Dialect, Think};
use crate::failed::KeyedBy;
use crate::worker::WorkerOptions;

/// think-queue in the version that was named; nothing where it is Laravel.
pub(super) fn think(low: &Low) -> Result<Option<Think>, Error> {
    let dialect = low.get("dialect").unwrap_or("laravel");
    let last = match dialect {
        "laravel" => return Ok(None),
        "think" => (3, 0, 9),
        "think2" => (2, 0, 4),
        "think1" => (1, 1, 6),
        other => return Err(Error::UnknownDialect(other.to_owned())),
    };
    let Some(given) = low.get("dialect-version") else { return Ok(Some(Think::new("").version(last))) };
    let parts: Vec<Option<u32>> =
        given.trim_start_matches('v').split('.').map(|part| part.parse().ok()).collect();
    let version = match parts[..] {
        [Some(major), Some(minor), Some(patch)] => (major, minor, patch),
        [Some(major), Some(minor)] => (major, minor, 0),
        _ => (0, 0, 0),
    };
    if version.0 != last.0 {
        let (dialect, given) = (dialect.to_owned(), given.to_owned());
        let such_as = format!("{}.{}.{}", last.0, last.1, last.2);
        return Err(Error::OddVersion { dialect, such_as, given });
    }
    Ok(Some(Think::new("").version(version)))
}

/// The options that it has where nothing is typed. Before version 3 a job may run as long as it likes, a worker runs one
/// job unless `--daemon` is given, and ends with exit code 0 for its memory, too.
pub(super) fn defaults(think: &Think) -> WorkerOptions {
    let stock = WorkerOptions { tries: 0, ..WorkerOptions::default() };
    match think.version >= (3, 0, 0) {
        true => stock,
        false => WorkerOptions { timeout: 0, once: true, memory_status: 0, ..stock },
    }
}

/// Its table of failed jobs: what names a row, and the column that says when; nothing where it keeps none.
pub(super) fn failed_table(dialect: &Dialect) -> Option<(KeyedBy, &'static str)> {
    match dialect {
        Dialect::Laravel(_) => Some((KeyedBy::Uuid, "failed_at")),
        Dialect::Think(think) if think.version >= (3, 0, 3) => Some((KeyedBy::Id, "fail_time")),
        Dialect::Think(think) if think.version >= (3, 0, 0) => Some((KeyedBy::Id, "failed_at")),
        Dialect::Think(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn config(options: &[(&str, &str)]) -> Result<Config, Error> {
        let mut low = Low::default();
        options.iter().for_each(|(name, value)| low.flag(name, *value));
        Config::from_low(&low)
    }

    #[test]
    fn a_think_queue_is_worked_by_flags_with_its_own_defaults() {
        for (dialect, version, ready, timeout) in [
            ("think", None, "{queues:default}", 60),
            ("think", Some("3.0.4"), "queues:default", 60),
            ("think2", None, "queues:default", 0),
            ("think1", Some("v1.1.3"), "queues:default", 0),
        ] {
            let mut flags = vec![("redis", "redis://localhost"), ("dialect", dialect)];
            flags.extend(version.map(|version| ("dialect-version", version)));
            let config = config(&flags).unwrap();
            assert_eq!(config.dialect.keys("default").ready, ready);
            // Row 16: no retry_after is 60 seconds.
            let options = &config.options;
            assert_eq!((options.tries, options.timeout, options.lease_seconds()), (0, timeout, 60));
        }
    }

    #[test]
    fn what_is_no_dialect_is_told_with_the_way_out() {
        let redis = ("redis", "redis://localhost");
        for (flags, told) in [
            (
                vec![redis, ("dialect", "symfony")],
                "must be laravel, think, think2 or think1, [symfony] given",
            ),
            (vec![redis, ("dialect", "think"), ("dialect-version", "2.0")], "such as 3.0.9, [2.0] given"),
            (vec![("dialect", "think")], "name its Redis with --redis"),
        ] {
            let error = config(&flags).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
