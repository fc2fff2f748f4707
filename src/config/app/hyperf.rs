//! A Hyperf app: the two files that say of its queues and Redis pools, and what they mean for a worker.
//!
//! Runs the app's PHP once, without Swoole and therefore without the container; reads `.env` itself. Never dials.
//! Counterpart in PHP: `Hyperf\AsyncQueue\Driver\RedisDriver`, `Hyperf\Redis\RedisConnection`.

use std::path::Path;

use serde::Deserialize;

use super::super::Error;
use super::super::dialect::Version;
use super::super::dotenv::Dotenv;
use super::super::tree::Tree;
use super::resolve::{int, text};
use super::{App, AppCache, AppDatabase, AppFailed, AppRedis, Reading, probe, redis};

const PROBE: &str = include_str!("../probe/hyperf.php");

const DRIVER: &str = "Hyperf\\AsyncQueue\\Driver\\RedisDriver";

/// What the probe prints.
#[derive(Deserialize)]
struct Answer {
    timezone: String,
    config: serde_json::Value,
}

/// Asks the app in this directory.
///
/// # Errors
/// Where its files cannot be run, or are not as Hyperf reads them.
pub(super) fn read(
    directory: &Path,
    environment: Vec<(String, String)>,
    reading: Reading<'_>,
    version: Option<Version>,
) -> Result<App, Error> {
    let dotenv = Dotenv::of_file(&directory.join(".env"), environment)?;
    let answer: Answer = match probe::answered(PROBE, directory, reading.php, dotenv.of_the_file()) {
        Err(Error::NoPhp { source, php }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::NoWayToAsk { directory: directory.to_owned(), php });
        }
        answered => answered?,
    };
    let name = if reading.connection.is_empty() { "default" } else { reading.connection };
    resolved(&answer.config.into(), name, answer.timezone, version)
        .map_err(|what| Error::OddConfiguration { directory: directory.to_owned(), what })
}

fn resolved(config: &Tree, name: &str, timezone: String, version: Option<Version>) -> Result<App, String> {
    let queue = config.get("async_queue").and_then(|pools| pools.at(name)).cloned().unwrap_or_default();
    let driver = text(&queue, "driver")?.map(|class| match class.trim_start_matches('\\') {
        DRIVER => "redis".to_owned(),
        _ => class,
    });
    let named = |what: String| format!("async_queue.{name}: {what}");
    let redis = match driver.as_deref() {
        Some("redis") => {
            no_other_packer(&queue).map_err(named)?;
            let pool = text(&queue, "redis.pool").map_err(named)?.unwrap_or_else(|| "default".to_owned());
            let settings =
                config.get("redis").and_then(|pools| pools.at(&pool)).filter(|at| **at != Tree::Null);
            let settings = settings.ok_or_else(|| format!("redis.{pool} is not configured"))?;
            Some(connection(settings, &pool).map_err(|what| format!("redis.{pool}: {what}"))?)
        }
        // What other drivers hold is not ours to judge.
        _ => None,
    };
    let limit = int(&queue, "concurrent.limit").map_err(named)?;
    let nowhere =
        AppDatabase { name: String::new(), driver: None, servers: Vec::new(), prefix: String::new() };
    Ok(App {
        version: version.map(|(major, minor, patch)| format!("{major}.{minor}.{patch}")).unwrap_or_default(),
        timezone,
        output_timezone: None,
        connection: name.to_owned(),
        driver,
        queue: text(&queue, "channel").map_err(named)?.unwrap_or_else(|| "queue".to_owned()),
        retry_after: int(&queue, "handle_timeout").map_err(named)?,
        endless: false,
        migration_batch_size: None,
        horizon: false,
        horizon_prefix: None,
        forwards: [].into(),
        backoff: backoff(&queue).map_err(named)?,
        concurrency: Some(limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(1).max(1)),
        namespace: None,
        cache: AppCache { store: String::new(), driver: String::new() },
        restart: None,
        redis,
        // The list of failed messages is in the queue itself.
        failed: AppFailed {
            driver: "null".to_owned(),
            table: String::new(),
            path: String::new(),
            limit: 0,
            locks: String::new(),
            database: nowhere,
        },
        origin: "the app".to_owned(),
        warnings: Vec::new(),
    })
}

/// `retry_seconds`: a number, or one for each attempt. Of an empty list and of nothing there is the default.
fn backoff(queue: &Tree) -> Result<Option<String>, String> {
    let Some(Tree::Array(list)) = queue.get("retry_seconds") else {
        return Ok(int(queue, "retry_seconds")?.map(|seconds| seconds.to_string()));
    };
    let seconds = list.iter().map(|(_, value)| value.int().map(|seconds| seconds.to_string()));
    let seconds = seconds.collect::<Option<Vec<_>>>().ok_or("retry_seconds holds what is no number")?;
    Ok((!seconds.is_empty()).then(|| seconds.join(",")))
}

fn no_other_packer(queue: &Tree) -> Result<(), String> {
    match text(queue, "packer")? {
        Some(packer) if !packer.ends_with("\\PhpSerializerPacker") => Err(format!(
            "its packer is [{packer}]; Handover reads messages of PhpSerializerPacker, which is the one without that setting"
        )),
        _ => Ok(()),
    }
}

/// A pool, as phpredis opens it.
fn connection(pool: &Tree, name: &str) -> Result<AppRedis, String> {
    let options = Options::of(pool)?;
    if let Some(option) = options.rewrites {
        return Err(format!(
            "its option {option} wraps the messages in bytes that only phpredis reads; give the queue a pool without it, by \
             async_queue's redis.pool"
        ));
    }
    let (username, password) = match pool.get("auth") {
        Some(Tree::Array(pair)) => match &pair.iter().map(|(_, part)| part.text()).collect::<Vec<_>>()[..] {
            [Some(user), Some(password)] => (Some(user.clone()), Some(password.clone())),
            [Some(password)] => (None, Some(password.clone())),
            _ => return Err("auth is an array, but not a user and a password".to_owned()),
        },
        _ => (None, text(pool, "auth")?),
    };
    let is_on = |section: &str| pool.get(&format!("{section}.enable")).is_some_and(Tree::is_truthy);
    let nodes = |path: &str| {
        let nodes = pool.get(path).map(Tree::entries).unwrap_or_default();
        let nodes = nodes.iter().filter_map(|(_, node)| node.text()).filter(|node| !node.is_empty());
        let nodes: Vec<String> = nodes
            .map(|node| node.split_once("://").map_or(node.clone(), |(_, place)| place.to_owned()))
            .collect();
        if nodes.is_empty() { Err(format!("{path} names no server")) } else { Ok(nodes) }
    };
    let cluster = if is_on("cluster") { Some(nodes("cluster.seeds")?) } else { None };
    let sentinels =
        if is_on("sentinel") && cluster.is_none() { Some(nodes("sentinel.nodes")?) } else { None };
    let sentinel_login = (None, text(pool, "sentinel.auth")?.filter(|auth| !auth.is_empty()));
    let port = int(pool, "port")?.map_or(Ok(6379), u16::try_from);
    Ok(AppRedis {
        name: name.to_owned(),
        cluster,
        spreads_keys: false,
        replication: if sentinels.is_some() { "sentinel".to_owned() } else { String::new() },
        sentinels,
        sentinel_login,
        service: text(pool, "sentinel.master_name")?.unwrap_or_default(),
        context: redis::context(pool),
        scheme: None,
        host: text(pool, "host")?.unwrap_or_else(|| "localhost".to_owned()),
        port: port.map_err(|_| "port is no port".to_owned())?,
        database: int(pool, "db")?.unwrap_or(0),
        username,
        password: password.filter(|password| !password.is_empty()),
        prefix: options.prefix,
        rewrites_values: Vec::new(),
    })
}

/// phpredis' options, by their numbers or, since 3.0.39, by their names.
#[derive(Default)]
struct Options {
    prefix: String,
    /// One that changes what is stored.
    rewrites: Option<&'static str>,
}

impl Options {
    fn of(pool: &Tree) -> Result<Self, String> {
        let mut options = Options::default();
        for (name, value) in pool.get("options").map(Tree::entries).unwrap_or_default() {
            match name.to_lowercase().as_str() {
                "1" | "serializer" if value.is_truthy() => options.rewrites = Some("serializer"),
                "7" | "compression" if value.is_truthy() => options.rewrites = Some("compression"),
                "2" | "prefix" => {
                    options.prefix = value
                        .text()
                        .ok_or_else(|| format!("options.prefix is {}, not a text", value.kind()))?;
                }
                _ => {}
            }
        }
        Ok(options)
    }
}
