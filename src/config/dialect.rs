//! Which framework's jobs they are, and in which version: from `--dialect` and `--dialect-version`, else from what the
//! app's directory holds.
//!
//! Runs nothing. Counterpart in PHP: none; there the installed package decides.

use std::path::Path;

use super::app::installed;
use super::{App, Error, Low};
use crate::dialect::{Dialect, Hyperf, Laravel, Think};
use crate::failed::KeyedBy;
use crate::worker::WorkerOptions;

/// Major, minor and patch.
pub(super) type Version = (u32, u32, u32);

/// Whose queues are worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framework {
    Laravel,
    Think,
    Hyperf,
}

impl Framework {
    /// The file by which an app of it is known.
    pub(super) fn file(self) -> &'static str {
        match self {
            Framework::Laravel => "artisan",
            Framework::Think => "think",
            Framework::Hyperf => "bin/hyperf.php",
        }
    }

    /// The package whose version decides what is on the wire.
    fn package(self) -> &'static str {
        match self {
            Framework::Laravel => "laravel/framework",
            Framework::Think => "topthink/think-queue",
            Framework::Hyperf => "hyperf/async-queue",
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Framework::Laravel => "Laravel",
            Framework::Think => "ThinkPHP",
            Framework::Hyperf => "Hyperf",
        }
    }
}

/// What is known before the app was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spoken {
    pub(super) framework: Framework,
    /// The version of its queue, where it was named or a file tells it.
    pub(super) version: Option<Version>,
    /// The last version of the line that was named.
    last: Version,
}

/// Its table of failed jobs: what names a row, and the column that says when; nothing where it keeps none.
pub(super) fn failed_table(dialect: &Dialect) -> Option<(KeyedBy, &'static str)> {
    match dialect {
        Dialect::Laravel(_) => Some((KeyedBy::Uuid, "failed_at")),
        Dialect::Think(think) if think.version >= (3, 0, 3) => Some((KeyedBy::Id, "fail_time")),
        Dialect::Think(think) if think.version >= (3, 0, 0) => Some((KeyedBy::Id, "failed_at")),
        Dialect::Think(_) | Dialect::Hyperf(_) => None,
    }
}

/// What a worker does where neither a flag nor the app says anything.
pub(super) struct Defaults {
    pub(super) tries: i64,
    /// Seconds; 0 is as long as it likes.
    pub(super) timeout: i64,
    /// Seconds before another attempt.
    pub(super) backoff: &'static str,
    /// Seconds of a reservation.
    pub(super) retry_after: i64,
    pub(super) queue: &'static str,
    /// A worker runs one job unless `--daemon` is given.
    pub(super) once: bool,
    /// The exit code of a worker that has grown above its memory limit.
    pub(super) memory_status: u8,
}

impl Spoken {
    /// What was named, else what is in the app's directory; Laravel where nothing is.
    ///
    /// # Errors
    /// Where the dialect is none, or the version is none of its.
    pub(super) fn of(low: &Low, directory: Option<&Path>) -> Result<Spoken, Error> {
        let named = low.get("dialect");
        let holds = |framework: Framework| directory.is_some_and(|at| at.join(framework.file()).is_file());
        let frameworks = [Framework::Laravel, Framework::Think, Framework::Hyperf];
        let found =
            || frameworks.into_iter().find(|framework| holds(*framework)).unwrap_or(Framework::Laravel);
        let (framework, last) = match named {
            Some("laravel") => (Framework::Laravel, (13, 26, 0)),
            Some("think") => (Framework::Think, Think::new("").version),
            Some("think2") => (Framework::Think, (2, 0, 4)),
            Some("think1") => (Framework::Think, (1, 1, 6)),
            Some("hyperf") => (Framework::Hyperf, Hyperf::new("").version),
            Some(other) => return Err(Error::UnknownDialect(other.to_owned())),
            None => match found() {
                Framework::Laravel => (Framework::Laravel, (13, 26, 0)),
                Framework::Think => (Framework::Think, Think::new("").version),
                Framework::Hyperf => (Framework::Hyperf, Hyperf::new("").version),
            },
        };
        let of_line = |version: &Version| match framework {
            Framework::Laravel => version.0 >= 5,
            Framework::Think if named.is_some() => version.0 == last.0,
            Framework::Think | Framework::Hyperf => (1..=last.0).contains(&version.0),
        };
        let typed = low.get("dialect-version").map(|given| {
            parsed(given).filter(of_line).ok_or_else(|| Error::OddVersion {
                package: framework.package(),
                such_as: format!("{}.{}.{}", last.0, last.1, last.2),
                given: given.to_owned(),
            })
        });
        // Laravel itself says its version, whatever the files of Composer say.
        let installed = || match framework {
            Framework::Laravel => None,
            other => parsed(&installed::package(directory?, other.package())?),
        };
        let version = match typed {
            Some(typed) => Some(typed?),
            None => {
                installed().filter(of_line).or(named.filter(|_| framework == Framework::Think).map(|_| last))
            }
        };
        Ok(Spoken { framework, version, last })
    }

    /// The wire: what was named goes before what the app says.
    pub(super) fn dialect(self, low: &Low, app: Option<&App>, prefix: String, cluster: bool) -> Dialect {
        let version = self.version.or(app.and_then(|app| parsed(&app.version))).unwrap_or(self.last);
        match self.framework {
            Framework::Laravel => {
                let forwards = app.map(|app| app.forwards.clone()).unwrap_or_default();
                Dialect::Laravel(Laravel { prefix, version: (version.0, version.1), cluster, forwards })
            }
            Framework::Think => {
                let named = low.get("namespace").map(|namespace| namespace.trim_matches('\\'));
                let namespace = named.or(app.and_then(|app| app.namespace.as_deref())).unwrap_or("app");
                Dialect::Think(Think { prefix, version, namespace: namespace.to_owned(), cluster })
            }
            Framework::Hyperf => Dialect::Hyperf(Hyperf { prefix, version, cluster }),
        }
    }
}

impl Defaults {
    pub(super) fn of(dialect: &Dialect) -> Self {
        let laravel = Defaults {
            tries: 1,
            timeout: 60,
            backoff: "0",
            retry_after: 60,
            queue: "default",
            once: false,
            memory_status: 12,
        };
        match dialect {
            Dialect::Laravel(_) => laravel,
            Dialect::Think(think) if think.version >= (3, 0, 0) => Defaults { tries: 0, ..laravel },
            Dialect::Think(_) => Defaults { tries: 0, timeout: 0, once: true, memory_status: 0, ..laravel },
            Dialect::Hyperf(hyperf) => Defaults {
                timeout: 0,
                backoff: "10",
                retry_after: 10,
                queue: hyperf.default_channel(),
                ..laravel
            },
        }
    }
}

/// Refuses PHP children where think's own worker is too old for one, or lacks what it would be told.
pub(super) fn takes_a_pool(think: &Think, options: &WorkerOptions) -> Result<(), Error> {
    if think.version < (3, 0, 5) {
        return Err(Error::NoThinkPool { version: think.version });
    }
    if !options.rest.is_zero() {
        let (must, given) = ("is none of think's, which --php runs", options.rest.as_secs_f64().to_string());
        return Err(Error::OutOfRange { name: "rest", must, given });
    }
    if options.backoff.trim().parse::<i64>().is_err() {
        let (must, given) = ("must be one number for think, which --php runs", options.backoff.clone());
        return Err(Error::OutOfRange { name: "backoff", must, given });
    }
    Ok(())
}

/// What the app's configuration calls the seconds of a reservation.
pub(super) fn lease_setting(dialect: &Dialect) -> &'static str {
    match dialect {
        Dialect::Think(think) if think.version < (3, 0, 0) => "expire",
        Dialect::Laravel(_) | Dialect::Think(_) => "retry_after",
        Dialect::Hyperf(_) => "handle_timeout",
    }
}

/// `3.0.4`, `v3.0`, `Lumen (8.3.4) (Laravel Components ^8.0)`; nothing without major and minor, and of a branch. A fourth
/// number is a hotfix of Hyperf's 3.1.8, which does as 3.1.9 does.
fn parsed(text: &str) -> Option<Version> {
    let text = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let mut parts = text.split(|c: char| !c.is_ascii_digit());
    let (major, minor) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let patch = parts.next().map_or(Some(0), |patch| patch.parse().ok())?;
    let is_hotfix = (major, minor, patch) == (3, 1, 8) && parts.next() == Some("1");
    Some(if is_hotfix { (3, 1, 9) } else { (major, minor, patch) })
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
            assert!(config.expire_reservations);
        }
    }

    #[test]
    fn php_children_that_could_not_work_are_refused_with_the_way_out() {
        let with = |more: &[(&str, &str)]| {
            config(&[&[("redis", "redis://localhost"), ("php", "1")], more].concat()).unwrap_err().to_string()
        };
        let old = "wants think-queue 3.0.5 or later, [2.0.4] is worked. Give its jobs handlers of their own or --http";
        assert!(with(&[("dialect", "think2")]).contains(old), "{}", with(&[("dialect", "think2")]));
        assert!(with(&[("dialect", "think1")]).contains("[1.1.6]"));
        assert!(with(&[("dialect", "think"), ("dialect-version", "3.0.4")]).contains("[3.0.4]"));
        let rest = "The --rest option is none of think's, which --php runs, [1.5] given.";
        assert_eq!(with(&[("dialect", "think"), ("rest", "1.5")]), rest);
        let backoff = "The --backoff option must be one number for think, which --php runs, [1,5] given.";
        assert_eq!(with(&[("dialect", "think"), ("backoff", "1,5")]), backoff);
        assert!(with(&[("dialect", "think")]).contains("no think file"), "{}", with(&[("dialect", "think")]));
    }

    #[test]
    fn row_15_an_expire_of_null_and_a_namespace_are_flags_too() {
        let redis = [("redis", "redis://localhost"), ("dialect", "think2")];
        let config = config(&[&redis[..], &[("no-expire", "1"), ("namespace", "shop\\")]].concat()).unwrap();
        assert!(!config.expire_reservations);
        let Dialect::Think(think) = config.dialect else { panic!("{:?}", config.dialect) };
        assert_eq!(think.resolve("Sell"), "shop\\job\\Sell@fire");
    }

    #[test]
    fn the_version_of_laravel_may_be_named_where_there_is_no_app() {
        let flags = [("redis", "redis://localhost"), ("prefix", ""), ("dialect", "laravel")];
        let named = config(&[&flags[..], &[("dialect-version", "8.83.27")]].concat()).unwrap();
        assert!(matches!(named.dialect, Dialect::Laravel(Laravel { version: (8, 83), .. })));
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
            (vec![redis, ("dialect", "think"), ("dialect-version", "3")], "such as 3.0.9, [3] given"),
            (vec![("dialect", "think")], "no think file"),
            (vec![("dialect", "think")], "or give --redis"),
            (vec![redis, ("dialect", "hyperf"), ("dialect-version", "4.0")], "such as 3.2.4, [4.0] given"),
            (vec![("dialect", "hyperf")], "no bin/hyperf.php file"),
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
