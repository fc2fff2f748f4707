//! From a configuration array to what a worker needs of it: the one place that knows what Laravel's keys mean.
//!
//! Runs nothing and reads no file, so that PHP's answer, a cached configuration and a guess cannot differ here.
//! Counterpart in PHP: `Illuminate\Queue\Connectors\RedisConnector`, `Illuminate\Queue\QueueServiceProvider`.

use std::path::Path;

use super::super::Error;
use super::super::tree::Tree;
use super::found::Found;
use super::{App, AppCache, failed, redis};

impl App {
    /// What this configuration says of one queue connection; an empty name stands for the default one.
    pub(in crate::config) fn resolve(
        found: &Found,
        directory: &Path,
        connection: &str,
    ) -> Result<Self, Error> {
        let what = |what: String| Error::OddConfiguration { directory: directory.to_owned(), what };
        resolved(found, connection).map_err(what)
    }
}

/// An optional text; the error says what stands there instead.
pub(super) fn text(settings: &Tree, path: &str) -> Result<Option<String>, String> {
    let Some(value) = settings.get(path) else { return Ok(None) };
    value.text().map(Some).ok_or_else(|| format!("{path} is {}, not a text", value.kind()))
}

/// An optional number.
pub(super) fn int(settings: &Tree, path: &str) -> Result<Option<i64>, String> {
    let Some(value) = settings.get(path) else { return Ok(None) };
    value.int().map(Some).ok_or_else(|| format!("{path} is {}, not a number", value.kind()))
}

fn resolved(found: &Found, connection: &str) -> Result<App, String> {
    let config = &found.config;
    let name = match connection {
        "" => text(config, "queue.default")?.unwrap_or_default(),
        name => name.to_owned(),
    };
    let path = format!("queue.connections.{name}");
    let queue = config.get(&path).cloned().unwrap_or_default();
    let in_queue = |key: &str| format!("{path}.{key}");
    let driver = text(config, &in_queue("driver"))?;
    let redis_name = text(config, &in_queue("connection"))?.filter(|name| !matches!(name.as_str(), "" | "0"));
    let redis_name = redis_name.unwrap_or_else(|| "default".to_owned());
    let version = super::version(&found.version);
    // Only a queue on Redis has one; what other connections hold is not ours to judge.
    let redis = match driver.as_deref() {
        Some("redis") => {
            let redis = config.get("database.redis").cloned().unwrap_or_default();
            redis::resolved(&redis, &redis_name, version)?
        }
        _ => None,
    };
    let for_this = |(from, on, to): &(String, Option<String>, Option<String>)| {
        let here = on.as_ref().is_none_or(|on| *on == name);
        to.as_ref().filter(|_| here).map(|to| (from.clone(), to.clone()))
    };
    let horizon_use = text(config, "horizon.use")?.unwrap_or_else(|| "default".to_owned());
    let horizon_prefix = text(config, "horizon.prefix")?.unwrap_or_else(|| "horizon:".to_owned());
    Ok(App {
        timezone: text(config, "app.timezone")?.unwrap_or_else(|| "UTC".to_owned()),
        output_timezone: text(config, "queue.output_timezone")?,
        driver,
        queue: text(config, &in_queue("queue"))?.unwrap_or_else(|| "default".to_owned()),
        endless: found.horizon && queue.get("retry_after").is_none(),
        retry_after: int(config, &in_queue("retry_after"))?,
        backoff: None,
        concurrency: None,
        namespace: None,
        restart: None,
        migration_batch_size: queue.get("migration_batch_size").and_then(Tree::int),
        horizon: found.horizon,
        horizon_prefix: (found.horizon && horizon_use == redis_name).then_some(horizon_prefix),
        forwards: found.forwards.iter().filter_map(for_this).collect(),
        cache: cache(config)?,
        redis,
        failed: failed::resolved(found)?,
        version: found.version.clone(),
        origin: found.origin.clone(),
        warnings: found.warnings.clone(),
        connection: name,
    })
}

fn cache(config: &Tree) -> Result<AppCache, String> {
    let store = text(config, "cache.default")?.unwrap_or_else(|| "null".to_owned());
    let driver = text(config, &format!("cache.stores.{store}.driver"))?;
    Ok(AppCache { driver: driver.unwrap_or_else(|| store.clone()), store })
}
