//! What the app's configuration resolves to, and who says so: the app's own PHP; of Laravel before it the file that
//! `config:cache` left, and after it a guess that was asked for.
//!
//! Never writes to the app. Counterpart in PHP: the configuration repository after `artisan` has booted.

mod cached;
mod failed;
mod found;
mod guess;
mod hyperf;
pub(super) mod installed;
mod probe;
mod redis;
mod resolve;
mod think;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::dialect::{Framework, Version};
use super::dotenv::Dotenv;
use super::{Error, RedisUrl};
use cached::Cached;
use found::Found;

/// The app's resolved configuration, as far as a worker needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct App {
    /// The version that decides what is on the wire: Laravel's own, e.g. `8.83.26`, or that of think-queue.
    pub version: String,
    /// `app.timezone`.
    pub timezone: String,
    /// `queue.output_timezone`.
    pub output_timezone: Option<String>,
    /// The queue connection's name.
    pub connection: String,
    /// Its driver.
    pub driver: Option<String>,
    /// Its default queue.
    pub queue: String,
    /// Its `retry_after`, `expire` in think-queue 1 and 2; null means the framework's own default, or what follows.
    pub retry_after: Option<i64>,
    /// Reservations never run out: `retry_after => null` under Horizon, `expire => null` in think-queue 1 and 2.
    pub endless: bool,
    /// Its `migration_batch_size`.
    pub migration_batch_size: Option<i64>,
    /// Horizon is installed.
    pub horizon: bool,
    /// The prefix of Horizon's own keys, where they are on the queue's Redis connection.
    pub horizon_prefix: Option<String>,
    /// Queues whose keys are another queue's (`Queue::forward`, Laravel 13.26 on).
    pub forwards: BTreeMap<String, String>,
    /// The seconds before another attempt: Hyperf's `retry_seconds`, with commas where they are several.
    pub backoff: Option<String>,
    /// The jobs that run at once: Hyperf's `concurrent.limit`.
    pub concurrency: Option<usize>,
    /// ThinkPHP's namespace of the app, such as `app`.
    pub namespace: Option<String>,
    /// The default cache store.
    pub cache: AppCache,
    /// Where `queue:restart` leaves its word, where we read it ourselves.
    pub restart: Option<RestartKey>,
    /// Its Redis connection.
    pub redis: Option<AppRedis>,
    /// `queue.failed`.
    pub failed: AppFailed,
    /// Who says all this, as it stands behind "from".
    pub origin: String,
    /// What is to be known about that, in a sentence each.
    pub warnings: Vec<String>,
}

/// The app's default cache store: where `queue:restart` leaves its word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppCache {
    /// Its name.
    pub store: String,
    /// Its driver.
    pub driver: String,
}

/// Where ThinkPHP's `queue:restart` leaves its word, the Unix second in decimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestartKey {
    /// A string in Redis, which holds the digits.
    Redis {
        /// The URL of the cache store's Redis.
        url: RedisUrl,
        /// The whole key.
        key: String,
    },
    /// A file: 32 bytes of PHP, then the digits; ThinkPHP 5.0 has them serialized, as `i:1700000000;`.
    File {
        /// The file; it need not be there.
        path: PathBuf,
    },
    /// In a cache store that nobody here reads: its driver.
    Unknown(String),
}

/// A Redis connection of the app.
#[derive(Clone, PartialEq)]
pub struct AppRedis {
    /// Its name under `database.redis`.
    pub name: String,
    /// The nodes, `host:port` each, where it is a cluster.
    pub cluster: Option<Vec<String>>,
    /// The cluster is predis' own: keys are spread by the client, not by Redis.
    pub spreads_keys: bool,
    /// The servers of a list, which predis asks by its `replication` option.
    pub sentinels: Option<Vec<String>>,
    /// User and password of the sentinels themselves.
    pub sentinel_login: (Option<String>, Option<String>),
    /// The master's name at the sentinels.
    pub service: String,
    /// predis' `replication`: only `sentinel` is known here.
    pub replication: String,
    /// The stream context, as far as TLS needs it: `cafile`, `local_cert`, `local_pk`, `verify_peer`.
    pub context: BTreeMap<String, String>,
    /// `tls`, `tcp`, `unix` or nothing.
    pub scheme: Option<String>,
    /// A host, `tls://host`, or the path of a socket.
    pub host: String,
    /// The port; 0 with a socket.
    pub port: u16,
    /// The database's number.
    pub database: i64,
    /// The ACL user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// The key prefix in effect.
    pub prefix: String,
    /// phpredis options that rewrite values: `serializer`, `compression`.
    pub rewrites_values: Vec<String>,
}

impl std::fmt::Debug for AppRedis {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AppRedis({} at {}:{}/{})", self.name, self.host, self.port, self.database)
    }
}

/// Where the app keeps failed jobs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct AppFailed {
    /// `database-uuids`, `database`, `file`, `null`, ...
    pub driver: String,
    /// The table.
    pub table: String,
    /// The file of the `file` driver.
    pub path: String,
    /// How many jobs that file holds.
    pub limit: usize,
    /// Where the `file` cache store keeps its locks.
    pub locks: String,
    /// The database connection.
    pub database: AppDatabase,
}

/// A database connection of the app.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct AppDatabase {
    /// Its name.
    pub name: String,
    /// `sqlite`, `mysql`, ...
    pub driver: Option<String>,
    /// The servers that a failed job may be written to.
    pub servers: Vec<crate::sql::Server>,
    /// The table prefix.
    pub prefix: String,
}

/// How an app may be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    /// The command that runs PHP; empty where there is none.
    pub(super) php: &'a str,
    /// The queue connection, empty for the default one.
    pub(super) connection: &'a str,
    /// What is missing may be guessed.
    pub(super) guess: bool,
}

impl App {
    /// True where there is a Laravel app to read.
    pub(super) fn is_laravel(directory: &Path, environment: &[(String, String)], guess: bool) -> bool {
        let holds = |file: &str| directory.join(file).is_file();
        holds("artisan")
            || cached::path(directory, environment).is_file()
            || guess && (holds(".env") || holds("composer.lock"))
    }

    /// The app in this directory, as it would read itself; `version` is that of its queue, where it is known.
    ///
    /// # Errors
    /// Where nothing can be read, or what is read is not as the framework reads it.
    pub(super) fn read(
        framework: Framework,
        version: Option<Version>,
        directory: &Path,
        environment: Vec<(String, String)>,
        reading: Reading<'_>,
    ) -> Result<Self, Error> {
        match framework {
            Framework::Laravel => Self::laravel(directory, environment, reading),
            Framework::Think => think::read(directory, reading, version),
            Framework::Hyperf => hyperf::read(directory, environment, reading, version),
        }
    }

    /// Laravel's. A cached configuration is taken where it is all that PHP would go by; else PHP is asked; where there is
    /// none, what there is has to do, with a warning.
    fn laravel(
        directory: &Path,
        environment: Vec<(String, String)>,
        reading: Reading<'_>,
    ) -> Result<Self, Error> {
        let path = cached::path(directory, &environment);
        let found = match (Cached::read(&path, directory), reading.php) {
            (Some(Cached::Whole(found)), php) => {
                match Self::resolve(&found, directory, reading.connection) {
                    // An object where a text is wanted: PHP knows what it comes to.
                    Err(_) if !php.is_empty() => Found::ask(directory, php)?,
                    resolved => return resolved,
                }
            }
            (cached, "") => Self::without_php(directory, environment, cached, reading, None)?,
            (cached, php) => match Found::ask(directory, php) {
                Err(Error::NoPhp { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                    Self::without_php(directory, environment, cached, reading, Some(php))?
                }
                asked => asked?,
            },
        };
        Self::resolve(&found, directory, reading.connection)
    }

    fn without_php(
        directory: &Path,
        environment: Vec<(String, String)>,
        cached: Option<Cached>,
        reading: Reading<'_>,
        php: Option<&str>,
    ) -> Result<Found, Error> {
        match cached {
            Some(Cached::Whole(found) | Cached::Part(found)) => Ok(found),
            Some(Cached::Odd { path, what }) if !reading.guess => Err(Error::OddCache { path, what }),
            odd if reading.guess => {
                let mut found = guess::guessed(directory, &Dotenv::read(directory, environment)?)?;
                if let Some(Cached::Odd { path, what }) = odd {
                    let told = Error::OddCache { path, what };
                    found.warnings.push(format!("The cached configuration is passed over: {told}"));
                }
                Ok(found)
            }
            _ => Err(Error::NoWayToRead {
                directory: directory.to_owned(),
                php: php.unwrap_or("(HANDOVER_PHP_BINARY is empty)").to_owned(),
            }),
        }
    }

    /// Major and minor of the framework's version.
    pub fn version(&self) -> (u32, u32) {
        version(&self.version)
    }
}

/// Major and minor of `8.83.26`, `v8.83.26` or `Lumen (8.3.4) (Laravel Components ^8.0)`.
fn version(text: &str) -> (u32, u32) {
    let text = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    let mut parts = text.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

impl AppRedis {
    /// The URL of this connection, in the forms that [`Redis::new`](crate::redis::Redis::new) reads.
    ///
    /// # Errors
    /// Where it is a kind of connection that Handover does not know.
    pub fn url(&self) -> Result<String, Error> {
        let unknown = |what| Err(Error::NoRedis { connection: self.name.clone(), what });
        let tls = self.scheme.as_deref() == Some("tls") || self.host.starts_with("tls://");
        let scheme = if tls { "rediss" } else { "redis" };
        let user = self.username.as_deref().map(encoded).unwrap_or_default();
        let password = self.password.as_deref().filter(|password| !password.is_empty()).map(encoded);
        let database = self.database;
        let host = self.host.trim_start_matches("tcp://").trim_start_matches("tls://");
        let bare_v6 = host.contains(':') && !host.starts_with(['[', '/']) && !host.starts_with("unix:");
        let host = if bare_v6 { format!("[{host}]") } else { host.to_owned() };
        let host = host.as_str();
        if let Some(path) = host.strip_prefix("unix://").or(host.starts_with('/').then_some(host)) {
            let password = password.map(|password| format!("&pass={password}")).unwrap_or_default();
            let user = if user.is_empty() { user } else { format!("&user={user}") };
            return Ok(format!("redis+unix://{path}?db={database}{user}{password}"));
        }
        let login = password.map(|password| format!("{user}:{password}@")).unwrap_or_default();
        let context = self.context.iter().filter(|_| tls);
        let context: Vec<String> =
            context.map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let query = if context.is_empty() { String::new() } else { format!("?{}", context.join("&")) };
        match (&self.cluster, &self.sentinels) {
            (Some(_), _) if self.spreads_keys => unknown(
                "is a cluster of predis' own, which spreads keys by itself; Handover knows Redis' own clusters, \
                 database.redis.options.cluster => 'redis'",
            ),
            (Some(nodes), _) => Ok(format!("{scheme}+cluster://{login}{}{query}", nodes.join(","))),
            (None, Some(_)) if self.replication != "sentinel" => unknown(
                "is a list of servers; Handover knows such a list with the option replication => 'sentinel'",
            ),
            (None, Some(nodes)) => {
                let (nodes, service) = (nodes.join(","), &self.service);
                let (user, password) = &self.sentinel_login;
                let part = |name: &str, value: &Option<String>| {
                    value.as_ref().map(|value| format!("{name}={}", encoded(value)))
                };
                let login_there = [part("sentinel_username", user), part("sentinel_password", password)];
                let query: Vec<String> = login_there.into_iter().flatten().chain(context).collect();
                let query = if query.is_empty() { query.concat() } else { format!("?{}", query.join("&")) };
                Ok(format!("{scheme}+sentinel://{login}{nodes}/{service}/{database}{query}"))
            }
            (None, None) => Ok(format!("{scheme}://{login}{host}:{}/{database}{query}", self.port)),
        }
    }
}

/// Percent-encoded for a URL.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { (byte as char).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redis(host: &str) -> AppRedis {
        AppRedis {
            name: "default".into(),
            cluster: None,
            spreads_keys: false,
            sentinels: None,
            sentinel_login: (None, None),
            service: String::new(),
            replication: String::new(),
            context: BTreeMap::new(),
            scheme: None,
            host: host.into(),
            port: 6379,
            database: 2,
            username: None,
            password: Some("p@ss/w".into()),
            prefix: String::new(),
            rewrites_values: Vec::new(),
        }
    }

    #[test]
    fn a_connection_becomes_a_url() {
        assert_eq!(redis("localhost").url().unwrap(), "redis://:p%40ss%2Fw@localhost:6379/2");
        assert_eq!(
            redis("/run/redis.sock").url().unwrap(),
            "redis+unix:///run/redis.sock?db=2&pass=p%40ss%2Fw"
        );
        assert_eq!(redis("::1").url().unwrap(), "redis://:p%40ss%2Fw@[::1]:6379/2");
        let user = AppRedis { username: Some("worker".into()), ..redis("10.0.0.1") };
        assert_eq!(user.url().unwrap(), "redis://worker:p%40ss%2Fw@10.0.0.1:6379/2");
        let context = [("cafile".to_owned(), "/a b.pem".to_owned())].into();
        assert_eq!(
            AppRedis { context, ..redis("tls://redis.example") }.url().unwrap(),
            "rediss://:p%40ss%2Fw@redis.example:6379/2?cafile=%2Fa%20b.pem"
        );
    }

    #[test]
    fn clusters_and_sentinels_are_urls_too() {
        let nodes = || Some(vec!["a:7000".to_owned(), "b:7001".to_owned()]);
        let cluster = AppRedis { cluster: nodes(), ..redis("127.0.0.1") };
        assert_eq!(cluster.url().unwrap(), "redis+cluster://:p%40ss%2Fw@a:7000,b:7001");
        let spread = AppRedis { spreads_keys: true, ..cluster };
        assert!(spread.url().unwrap_err().to_string().contains("spreads keys by itself"));
        let list = AppRedis { sentinels: nodes(), service: "mymaster".into(), ..redis("127.0.0.1") };
        assert!(list.url().unwrap_err().to_string().contains("replication => 'sentinel'"));
        let sentinels = AppRedis { replication: "sentinel".into(), ..list };
        assert_eq!(sentinels.url().unwrap(), "redis+sentinel://:p%40ss%2Fw@a:7000,b:7001/mymaster/2");
    }

    #[test]
    fn a_password_is_never_shown() {
        assert!(!format!("{:?}", redis("localhost")).contains("p@ss"));
    }
}
