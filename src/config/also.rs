//! Queues of other apps and frameworks served by the same worker: `--also 'think=orders,mails'`.
//!
//! Owns the reading of what was typed; each becomes a configuration of its own. Counterpart in PHP: none; there a worker
//! has one connection.

use std::path::Path;

use super::dialect::Spoken;
use super::{Config, Error, Low};

/// What may be said of such queues behind a `?`, beside their names.
const SETTINGS: [&str; 11] = [
    "app",
    "backoff",
    "connection",
    "failed-jobs",
    "lease",
    "namespace",
    "no-expire",
    "prefix",
    "reload",
    "timeout",
    "tries",
];

/// The configurations that `--also` names, separated by white space: a dialect, perhaps `@` and its version, `=`, queues
/// separated by commas, perhaps `?` and settings joined by `&`. They are on this Redis, unless `app` names an app to read.
pub(super) fn connections(low: &Low, redis: &str) -> Result<Vec<Config>, Error> {
    low.get("also").unwrap_or_default().split_whitespace().map(|typed| connection(typed, redis)).collect()
}

fn connection(typed: &str, redis: &str) -> Result<Config, Error> {
    let odd = |must| Error::OutOfRange { name: "also", must, given: typed.to_owned() };
    let queues =
        "must name a dialect and its queues, as think=orders,mails or hyperf@3.1={queue}?backoff=5,10";
    let (dialect, rest) = typed.split_once('=').ok_or_else(|| odd(queues))?;
    let (names, settings) = rest.split_once('?').unwrap_or((rest, ""));
    if names.is_empty() {
        return Err(odd(queues));
    }
    let mut low = Low::default();
    let (dialect, version) =
        dialect.split_once('@').map_or((dialect, None), |(name, version)| (name, Some(version)));
    low.flag("dialect", dialect);
    low.flag("queue", names);
    version.into_iter().for_each(|version| low.flag("dialect-version", version));
    for setting in settings.split('&').filter(|setting| !setting.is_empty()) {
        let known = setting.split_once('=').filter(|(name, _)| SETTINGS.contains(name));
        let (name, value) = known.ok_or_else(|| {
            odd("may say app, backoff, connection, failed-jobs, lease, namespace, no-expire, prefix, reload, timeout or tries behind its ?, as in think=orders?tries=3")
        })?;
        low.flag(name, value);
    }
    low.check_switches()?;
    if low.get("app").is_some() {
        return Config::from_low(&low);
    }
    low.flag("redis", redis);
    // The app in this directory is the worker's own.
    Config::complete(&low, Spoken::of(&low, None)?, None, Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::super::Failed;
    use super::*;

    fn config(also: &str) -> Result<Config, Error> {
        let mut low = Low::default();
        for (name, value) in [("redis", "redis://localhost"), ("prefix", "shop_"), ("also", also)] {
            low.flag(name, value);
        }
        Config::from_low(&low)
    }

    #[test]
    fn other_frameworks_queues_have_settings_of_their_own() {
        let config =
            config("think=orders,mails?tries=3&backoff=5 think@3.0.4=old laravel=default?prefix=crm_")
                .unwrap();
        let [think, old, laravel] = &config.also[..] else { panic!("{:?}", config.also) };
        assert_eq!(config.queues, ["default"]);
        assert_eq!((think.queues.len(), think.options.tries, &*think.options.backoff), (2, 3, "5"));
        assert_eq!(think.dialect.keys("orders").ready, "{queues:orders}");
        assert_eq!(old.dialect.keys("old").ready, "queues:old");
        assert_eq!((old.options.tries, config.options.tries), (0, 1));
        assert_eq!(laravel.dialect.keys("default").ready, "crm_queues:default");
        assert_eq!(laravel.redis, config.redis);
    }

    #[test]
    fn where_their_failed_jobs_are_kept_and_whether_those_timed_out_come_back_is_said_of_each() {
        let config =
            config("hyperf=mail?reload=timeout think=orders?failed-jobs=sqlite:///a.db?table=f").unwrap();
        let [hyperf, think] = &config.also[..] else { panic!("{:?}", config.also) };
        assert!(hyperf.options.reload_timeout && !think.options.reload_timeout);
        assert!(
            matches!(&think.failed, Failed::Database { table, .. } if table == "f"),
            "{:?}",
            think.failed
        );
    }

    #[test]
    fn what_cannot_be_served_is_told_with_the_way_out() {
        for (typed, told) in [
            ("think", "[think] given"),
            ("think=", "as think=orders,mails"),
            ("symfony=q", "[symfony] given"),
            ("think=q?concurrency=3", "tries behind its ?"),
            ("think=q?lease=1", "at least 10 seconds"),
            ("think=q?no-expire=maybe", "must be on or off"),
            ("hyperf=q?namespace=shop", "--namespace option means nothing here"),
        ] {
            let error = config(typed).unwrap_err().to_string();
            assert!(error.contains(told), "{typed}: {error}");
        }
    }
}
