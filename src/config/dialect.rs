//! Which framework's jobs they are, from `--dialect` and `--dialect-version`.
//!
//! Never guesses: without the option it is Laravel. Counterpart in PHP: none; there the installed package decides.

use super::{Error, Low};
use crate::dialect::{Dialect, Hyperf, Think};

/// The framework that was named, in its version; nothing where it is Laravel.
pub(super) fn named(low: &Low) -> Result<Option<Dialect>, Error> {
    let dialect = low.get("dialect").unwrap_or("laravel");
    let last = match dialect {
        "laravel" => return Ok(None),
        "think" => (3, 0, 9),
        "think2" => (2, 0, 4),
        "think1" => (1, 1, 6),
        "hyperf" => Hyperf::new("").version,
        other => return Err(Error::UnknownDialect(other.to_owned())),
    };
    let version = match low.get("dialect-version") {
        None => last,
        Some(given) => version(given).filter(|version| is_of(dialect, *version, last)).ok_or_else(|| {
            let (dialect, given) = (dialect.to_owned(), given.to_owned());
            Error::OddVersion { dialect, such_as: format!("{}.{}.{}", last.0, last.1, last.2), given }
        })?,
    };
    Ok(Some(match dialect {
        "hyperf" => Hyperf::new("").version(version).into(),
        _ => Think::new("").version(version).into(),
    }))
}

/// Two or three numbers, a `v` in front or not. A fourth is a hotfix of Hyperf's 3.1.8, which does as 3.1.9 does.
fn version(given: &str) -> Option<(u32, u32, u32)> {
    let parts: Option<Vec<u32>> =
        given.trim_start_matches('v').split('.').map(|part| part.parse().ok()).collect();
    match parts?[..] {
        [3, 1, 8, 1] => Some((3, 1, 9)),
        [major, minor, patch] => Some((major, minor, patch)),
        [major, minor] => Some((major, minor, 0)),
        _ => None,
    }
}

/// Hyperf's dialect is all of its versions, any other one line.
fn is_of(dialect: &str, version: (u32, u32, u32), last: (u32, u32, u32)) -> bool {
    match dialect {
        "hyperf" => (1..=last.0).contains(&version.0),
        _ => version.0 == last.0,
    }
}

/// What holds where nobody says otherwise.
pub(super) struct Defaults {
    pub(super) tries: i64,
    /// Seconds; 0 is as long as it likes.
    pub(super) timeout: i64,
    /// Seconds before another attempt.
    pub(super) backoff: &'static str,
    /// Seconds of a reservation.
    pub(super) retry_after: i64,
    pub(super) queue: &'static str,
}

impl Defaults {
    /// Those of a dialect, or of Laravel.
    pub(super) fn of(dialect: Option<&Dialect>) -> Self {
        let laravel = Defaults { tries: 1, timeout: 60, backoff: "0", retry_after: 60, queue: "default" };
        match dialect {
            Some(Dialect::Think(think)) => {
                Defaults { tries: 0, timeout: if think.version >= (3, 0, 0) { 60 } else { 0 }, ..laravel }
            }
            Some(Dialect::Hyperf(hyperf)) => Defaults {
                timeout: 0,
                backoff: "10",
                retry_after: 10,
                queue: hyperf.default_channel(),
                ..laravel
            },
            Some(Dialect::Laravel(_)) | None => laravel,
        }
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
                "must be laravel, think, think2, think1 or hyperf, [symfony] given",
            ),
            (vec![redis, ("dialect", "think"), ("dialect-version", "2.0")], "such as 3.0.9, [2.0] given"),
            (vec![redis, ("dialect", "hyperf"), ("dialect-version", "4.0")], "such as 3.2.4, [4.0] given"),
            (vec![("dialect", "think")], "name its Redis with --redis"),
            (vec![("dialect", "hyperf")], "name its Redis with --redis"),
            (vec![redis, ("dialect", "hyperf"), ("php", "2")], "no pool of PHP processes"),
        ] {
            let error = config(&flags).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }

    #[test]
    fn a_hyperf_queue_is_worked_by_flags_with_its_own_defaults() {
        for (version, ready) in [
            (None, "{queue}:waiting"),
            (Some("2.1.0"), "{queue}:waiting"),
            (Some("v2.0.25"), "queue:waiting"),
            (Some("1.0.4"), "queue:waiting"),
        ] {
            let mut flags = vec![("redis", "redis://localhost"), ("dialect", "hyperf")];
            flags.extend(version.map(|version| ("dialect-version", version)));
            let config = config(&flags).unwrap();
            assert_eq!(config.dialect.keys(&config.queues[0]).ready, ready);
            let options = &config.options;
            assert_eq!((options.tries, options.timeout, options.lease_seconds()), (1, 0, 10));
            assert_eq!(options.backoff, "10");
            assert_eq!(config.failed, super::super::Failed::Null);
        }
        let prefixed = [("redis", "redis://localhost"), ("dialect", "hyperf"), ("prefix", "app:")];
        let prefixed = config(&prefixed).unwrap();
        assert_eq!(prefixed.dialect.keys("{queue}").reserved, "app:{queue}:reserved", "row 32");
        let hotfix = [("redis", "redis://localhost"), ("dialect", "hyperf"), ("dialect-version", "3.1.8.1")];
        let Dialect::Hyperf(hotfix) = config(&hotfix).unwrap().dialect else { panic!("hyperf") };
        assert_eq!(hotfix.version, (3, 1, 9));
    }

    #[test]
    fn row_14_no_retry_seconds_are_ten() {
        for (given, backoff) in [("", "10"), ("5", "5"), ("1,5,10", "1,5,10"), ("0", "0")] {
            let flags = [("redis", "redis://localhost"), ("dialect", "hyperf"), ("backoff", given)];
            assert_eq!(config(&flags).unwrap().options.backoff, backoff);
        }
    }
}
