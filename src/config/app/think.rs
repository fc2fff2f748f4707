//! A ThinkPHP app: what its own `think` file boots to, and what that means for a worker.
//!
//! Runs the app's PHP once; everything else is read off its answer. Never dials. Counterpart in PHP: `think\Queue`,
//! `think\queue\connector\Redis` and `think\Cache` of each version.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::super::Error;
use super::super::dialect::Version;
use super::super::tree::Tree;
use super::resolve::{int, text};
use super::{App, AppCache, AppDatabase, AppFailed, AppRedis, Reading, RestartKey, failed, probe};

const PROBE: &str = include_str!("../probe/think.php");

/// The cache item by which `queue:restart` tells the workers, and its MD5, which names its file.
const RESTART: &str = "think:queue:restart";
const RESTART_MD5: &str = "fe767bdf35445c5d9d176a0c20c983f6";

/// What the probe prints.
#[derive(Deserialize)]
struct Answer {
    framework: String,
    namespace: String,
    runtime: PathBuf,
    timezone: String,
    mysql_socket: Option<String>,
    config: serde_json::Value,
}

/// Asks the app in this directory; a version that is not known goes by the framework's.
///
/// # Errors
/// Where the app does not boot, or its configuration is not as ThinkPHP reads it.
pub(super) fn read(directory: &Path, reading: Reading<'_>, version: Option<Version>) -> Result<App, Error> {
    let answer: Answer = match probe::answered(PROBE, directory, reading.php, []) {
        Err(Error::NoPhp { source, php }) if source.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::NoWayToAsk { directory: directory.to_owned(), php });
        }
        answered => answered?,
    };
    let version = version.unwrap_or_else(|| match super::version(&answer.framework) {
        (5, 0) => (1, 1, 6),
        (5, _) => (2, 0, 4),
        _ => (3, 0, 9),
    });
    let config = Tree::from(answer.config.clone());
    resolved(&answer, &config, directory, reading.connection, version)
        .map_err(|what| Error::OddConfiguration { directory: directory.to_owned(), what })
}

fn resolved(
    answer: &Answer,
    config: &Tree,
    directory: &Path,
    connection: &str,
    version: Version,
) -> Result<App, String> {
    let place = Place::of(config, connection, version)?;
    let settings = config.get(&place.path).cloned().unwrap_or_default();
    let driver = text(&settings, place.driver)?.filter(|driver| !driver.is_empty());
    let driver = driver.map(|driver| plain("queue\\connector", &driver));
    // What other connections hold is not ours to judge.
    let redis = match driver.as_deref() {
        Some("redis") if version >= (3, 0, 0) && settings.get("host").is_none() => {
            return Err(format!("{}.host is missing", place.path));
        }
        Some("redis") => Some(redis(&settings, &place.path, &place.name)?),
        _ => None,
    };
    // A null counts only before version 3, where it is no default.
    let endless = version < (3, 0, 0) && settings.at("expire") == Some(&Tree::Null);
    let (cache, restart) = restart(config, &answer.runtime, directory)?;
    Ok(App {
        version: format!("{}.{}.{}", version.0, version.1, version.2),
        timezone: answer.timezone.clone(),
        output_timezone: None,
        driver,
        queue: text(&settings, place.queue)?
            .filter(|queue| !matches!(queue.as_str(), "" | "0"))
            .unwrap_or_else(|| "default".to_owned()),
        retry_after: int(&settings, place.lease)?,
        endless,
        migration_batch_size: None,
        horizon: false,
        horizon_prefix: None,
        forwards: [].into(),
        backoff: None,
        concurrency: None,
        namespace: Some(answer.namespace.trim_matches('\\').to_owned()),
        cache,
        restart: Some(restart),
        redis,
        failed: failed_jobs(config, answer.mysql_socket.as_deref(), version)?,
        origin: "the app".to_owned(),
        warnings: Vec::new(),
        connection: place.name,
    })
}

/// Where a version keeps what.
struct Place {
    /// The connection's name.
    name: String,
    /// Its settings.
    path: String,
    driver: &'static str,
    queue: &'static str,
    lease: &'static str,
}

impl Place {
    fn of(config: &Tree, connection: &str, version: Version) -> Result<Self, String> {
        if version < (3, 0, 0) {
            let name = if connection.is_empty() { "redis" } else { connection };
            let driver = if version < (1, 1, 2) { "type" } else { "connector" };
            let (name, path) = (name.to_owned(), "queue".to_owned());
            return Ok(Place { name, path, driver, queue: "default", lease: "expire" });
        }
        let first = version < (3, 0, 2);
        let default = if first { "queue.connector" } else { "queue.default" };
        let name = match connection {
            "" => text(config, default)?.or(text(config, "queue.default")?).unwrap_or_default(),
            name => name.to_owned(),
        };
        let section = if first { "connectors" } else { "connections" };
        let driver = if version < (3, 0, 3) { "driver" } else { "type" };
        let path = format!("queue.{section}.{name}");
        Ok(Place { name, path, driver, queue: "queue", lease: "retry_after" })
    }
}

/// A driver's plain name: ThinkPHP takes it in any case, or as the name of its class.
fn plain(namespace: &str, driver: &str) -> String {
    let of_theirs = driver.trim_start_matches('\\').strip_prefix(&format!("think\\{namespace}\\"));
    match (of_theirs, driver.contains('\\')) {
        (Some(class), _) => class.to_lowercase(),
        (None, true) => driver.to_owned(),
        (None, false) => driver.to_lowercase(),
    }
}

/// A Redis of a queue or of a cache store: phpredis' own parameters, and no prefix.
fn redis(settings: &Tree, path: &str, name: &str) -> Result<AppRedis, String> {
    let (username, password) = match settings.get("password") {
        Some(Tree::Array(pair)) => match &pair.iter().map(|(_, part)| part.text()).collect::<Vec<_>>()[..] {
            [Some(user), Some(password)] => (Some(user.clone()), Some(password.clone())),
            [Some(password)] => (None, Some(password.clone())),
            _ => return Err(format!("{path}.password is an array, but not a user and a password")),
        },
        _ => (None, text(settings, "password")?),
    };
    let port = int(settings, "port")?.map_or(Ok(6379), u16::try_from);
    Ok(AppRedis {
        name: name.to_owned(),
        cluster: None,
        spreads_keys: false,
        sentinels: None,
        sentinel_login: (None, None),
        service: String::new(),
        replication: String::new(),
        context: [].into(),
        scheme: None,
        host: text(settings, "host")?.unwrap_or_else(|| "127.0.0.1".to_owned()),
        port: port.map_err(|_| format!("{path}.port is no port"))?,
        database: int(settings, "select")?.unwrap_or(0),
        username,
        password: password.filter(|password| !password.is_empty()),
        prefix: String::new(),
        rewrites_values: Vec::new(),
    })
}

/// The default cache store, and where it keeps the word of `queue:restart`.
fn restart(config: &Tree, runtime: &Path, directory: &Path) -> Result<(AppCache, RestartKey), String> {
    let named = text(config, "cache.default").ok().flatten();
    let (store, path) = match (config.get("cache.stores"), config.get("cache.type").and_then(Tree::text)) {
        (Some(_), _) => {
            let store = named.unwrap_or_default();
            (store.clone(), format!("cache.stores.{store}"))
        }
        (None, Some(kind)) if kind == "complex" => {
            let store = text(config, "cache.default.type")?.unwrap_or_default();
            let own = format!("cache.{store}");
            let path = if config.get(&own).is_some() { own } else { "cache.default".to_owned() };
            (store, path)
        }
        (None, _) => ("cache".to_owned(), "cache".to_owned()),
    };
    let settings = config.get(&path).cloned().unwrap_or_default();
    let driver = text(&settings, "type")?.filter(|kind| !kind.is_empty());
    let driver = plain("cache\\driver", driver.as_deref().unwrap_or("file"));
    let prefix = text(&settings, "prefix")?.unwrap_or_default();
    let key = match driver.as_str() {
        "redis" => match redis(&settings, &path, &store)?.url() {
            Ok(url) => RestartKey::Redis { url: url.into(), key: format!("{prefix}{RESTART}") },
            Err(_) => RestartKey::Unknown(driver.clone()),
        },
        "file" => file(&settings, &prefix, runtime, directory)?,
        _ => RestartKey::Unknown(driver.clone()),
    };
    Ok((AppCache { store, driver }, key))
}

fn file(settings: &Tree, prefix: &str, runtime: &Path, directory: &Path) -> Result<RestartKey, String> {
    let hash = text(settings, "hash_type")?.unwrap_or_else(|| "md5".to_owned());
    if hash != "md5" {
        return Ok(RestartKey::Unknown(format!("file, named by {hash}")));
    }
    if settings.get("data_compress").is_some_and(Tree::is_truthy) {
        return Ok(RestartKey::Unknown("file, compressed".to_owned()));
    }
    let folder = text(settings, "path")?.filter(|path| !path.is_empty());
    let folder = folder.map_or_else(|| runtime.join("cache"), PathBuf::from);
    let (first, rest) = RESTART_MD5.split_at(2);
    let name = match settings.at("cache_subdir").is_none_or(Tree::is_truthy) {
        true => format!("{first}/{rest}.php"),
        false => format!("{RESTART_MD5}.php"),
    };
    let prefixed = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
    Ok(RestartKey::File { path: directory.join(folder).join(prefixed) })
}

/// `queue.failed`, which came with version 3, and the database behind it.
fn failed_jobs(config: &Tree, mysql_socket: Option<&str>, version: Version) -> Result<AppFailed, String> {
    let kind = text(config, "queue.failed.type")?.filter(|_| version >= (3, 0, 0));
    let driver = match plain("queue\\failed", kind.as_deref().unwrap_or("none")).as_str() {
        "none" => "null".to_owned(),
        other => other.to_owned(),
    };
    let name = text(config, "database.default")?.unwrap_or_default();
    let settings = config.get(&format!("database.connections.{name}")).cloned().unwrap_or_default();
    let mut database = AppDatabase { name, driver: None, servers: Vec::new(), prefix: String::new() };
    if driver == "database" {
        database = failed::database(&database.name, &as_laravel(&settings)?, false, mysql_socket)?;
    }
    Ok(AppFailed {
        driver,
        table: text(config, "queue.failed.table")?.unwrap_or_else(|| "failed_jobs".to_owned()),
        path: String::new(),
        limit: 0,
        locks: String::new(),
        database,
    })
}

/// What PDO's own address, which goes before all else, says of this setting of ThinkPHP's.
fn in_dsn(dsn: &str, key: &str) -> Option<String> {
    let (driver, address) = dsn.split_once(':')?;
    let name = match key {
        "database" if driver == "sqlite" => return Some(address.to_owned()),
        "hostname" => "host",
        "hostport" => "port",
        "database" => "dbname",
        "socket" => "unix_socket",
        other => other,
    };
    let mut parts = address.split(';').filter_map(|part| part.trim().split_once('='));
    parts.find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
}

/// A database connection of ThinkPHP's in the words of Laravel's. Of several servers those that are written to.
fn as_laravel(settings: &Tree) -> Result<Tree, String> {
    let several = settings.get("deploy").and_then(Tree::int) == Some(1);
    let split = settings.get("rw_separate").is_some_and(Tree::is_truthy);
    let masters = int(settings, "master_num")?.and_then(|count| usize::try_from(count).ok()).unwrap_or(1);
    let dsn = text(settings, "dsn")?.filter(|_| !several).unwrap_or_default();
    let each = |key: &str| -> Result<Vec<String>, String> {
        if !dsn.is_empty() && !matches!(key, "username" | "password") {
            return Ok(in_dsn(&dsn, key).into_iter().collect());
        }
        let Some(value) = text(settings, key)?.filter(|value| !value.is_empty()) else {
            return Ok(Vec::new());
        };
        Ok(if several { value.split(',').map(str::to_owned).collect() } else { vec![value] })
    };
    let names = [
        ("hostname", "host"),
        ("hostport", "port"),
        ("database", "database"),
        ("username", "username"),
        ("password", "password"),
        ("charset", "charset"),
    ];
    let mut lists = Vec::new();
    for (theirs, ours) in names {
        lists.push((ours, each(theirs)?));
    }
    let hosts = lists[0].1.len().max(1);
    let written = if several && split { hosts.min(masters.max(1)) } else { hosts };
    let server = |at: usize| {
        // One value stands for all.
        let values = lists.iter().filter_map(|(name, list)| Some((*name, list.get(at).or(list.first())?)));
        Tree::array(values.map(|(name, value)| (name, Tree::from(value.as_str()))))
    };
    let driver = text(settings, "type")?.map(|kind| plain("db\\connector", &kind));
    let socket = each("socket")?.pop().map_or(Tree::Null, Tree::Text);
    Ok(Tree::array([
        ("driver", driver.map_or(Tree::Null, Tree::Text)),
        ("prefix", settings.get("prefix").cloned().unwrap_or_default()),
        ("unix_socket", socket),
        ("options", settings.get("params").cloned().unwrap_or_default()),
        ("read", Tree::array([("unused", Tree::Null)])),
        ("write", Tree::array((0..written).map(|at| (at.to_string(), server(at))))),
    ]))
}
