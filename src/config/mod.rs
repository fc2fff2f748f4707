//! From what was typed to what is used: the only reader of environment, files and the PHP application.
//!
//! Precedence: flag, `HANDOVER_*` variable, `handover.toml`, the app, default. Everything below this module gets final, valid values.
//! Counterpart in PHP: `config/queue.php`, `config/database.php`, and the options of `queue:work`.

mod also;
mod app;
mod dialect;
mod dotenv;
mod doubts;
mod error;
mod failed;
mod file;
#[cfg(feature = "cli")]
pub mod flags;
#[cfg(feature = "http")]
mod http;
mod low;
mod options;
mod pool;
mod restart;
mod start;
mod tree;
mod url;
mod var_export;

use std::fmt::Write;
use std::path::{Path, PathBuf};

use chrono_tz::Tz;

pub use app::{App, AppCache, AppDatabase, AppFailed, AppRedis, RestartKey};
pub use error::Error;
#[cfg(feature = "http")]
pub use http::HttpRoute;
pub use low::{Low, Source};

#[cfg(fuzzing)]
pub use var_export::property as fuzzing;

use app::Reading;
use dialect::{Defaults, Framework, Spoken};

use crate::dialect::{Dialect, Think};
use crate::failed::{CacheLock, KeyedBy};
use crate::handler::PoolOptions;
use crate::sql;
use crate::telemetry::Screen;
use crate::worker::WorkerOptions;

/// Everything a worker is started with.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The queue connection's name.
    pub connection: String,
    /// The queues, in order of priority, exactly as between the commas.
    pub queues: Vec<String>,
    /// The connection's own queue.
    pub default_queue: String,
    /// The URL of the queue's Redis.
    pub redis: RedisUrl,
    /// The framework's wire: key prefix, version, cluster or not.
    pub dialect: Dialect,
    /// `migration_batch_size`, where it is a limit.
    pub migration_batch_size: Option<usize>,
    /// False under Horizon's `retry_after: null` and think-queue's `expire: null`.
    pub expire_reservations: bool,
    /// Where `queue:restart` leaves its word, where we read it ourselves; of Laravel's the PHP processes do.
    pub restart: Option<RestartKey>,
    /// Larger payloads are set aside.
    pub max_payload: usize,
    /// The worker's options.
    pub options: WorkerOptions,
    /// The pool of PHP processes; none where it has no children.
    pub php: PoolOptions,
    /// Patterns and the endpoints that their jobs are sent to.
    #[cfg(feature = "http")]
    pub http: Vec<(String, crate::handler::Endpoint)>,
    /// How they sign that have no secret of their own, those named in code included.
    #[cfg(feature = "http")]
    pub signing: crate::handler::Signing,
    /// Where failed jobs are kept.
    pub failed: Failed,
    /// Where health is asked for.
    pub health: Option<String>,
    /// The app's timezone, for `failed_at`.
    pub timezone: Tz,
    /// The timezone of job lines.
    pub output_timezone: Tz,
    /// What is printed.
    pub screen: Screen,
    /// Connections served beside this one: theirs are the dialect, the queues, the limits and the store.
    pub also: Vec<Config>,
    /// What the app says, where there is one.
    pub app: Option<App>,
    /// For `-v`: each setting with its value and where it came from.
    pub sources: Vec<String>,
    /// What is probably wrong, in a sentence each.
    pub warnings: Vec<String>,
}

/// The URL of a Redis, which may hold a password: `Debug` shows it without.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl std::ops::Deref for RedisUrl {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl From<String> for RedisUrl {
    fn from(url: String) -> Self {
        RedisUrl(url)
    }
}

impl std::fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&address(&self.0))
    }
}

/// Where failed jobs are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// In a table of a database.
    Database {
        /// Its kind.
        driver: sql::Driver,
        /// The servers it may be on; for SQLite the file.
        servers: Vec<sql::Server>,
        /// The table, prefix included.
        table: String,
        /// What names its rows.
        key: KeyedBy,
        /// The column that says when.
        time_column: &'static str,
    },
    /// In a JSON file.
    File {
        /// The file.
        path: PathBuf,
        /// How many jobs it holds.
        limit: usize,
        /// The lock that PHP takes before it touches the file.
        lock: CacheLock,
    },
    /// In a store that only the app itself can write, through a PHP process: its drivers, for messages.
    App(String),
    /// Nowhere.
    Null,
}

impl Config {
    /// What this text says, completed by the app.
    ///
    /// # Errors
    /// Where a value is not valid, or the app does not say what is needed.
    pub fn from_low(low: &Low) -> Result<Self, Error> {
        let mut low = low.clone();
        let directory = |low: &Low| PathBuf::from(low.get("app").unwrap_or("."));
        let beside = Some(directory(&low).join(file::NAME)).filter(|path| path.is_file());
        let path = low.get("config").map(PathBuf::from).or(beside);
        let table = path.map(|path| file::read_into(&mut low, &path)).transpose()?;
        #[cfg(not(feature = "http"))]
        drop(table);
        low.check_switches()?;
        let directory = directory(&low);
        let guess = low.is_on("guess-config");
        let environment = std::env::vars_os();
        let environment: Vec<(String, String)> = environment
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let spoken = Spoken::of(&low, Some(&directory))?;
        let framework = spoken.framework;
        let has_app = match framework {
            Framework::Laravel => App::is_laravel(&directory, &environment, guess),
            other => directory.join(other.file()).is_file(),
        };
        let has_prefix = low.get("prefix").is_some() || framework != Framework::Laravel;
        let enough_without = low.get("redis").is_some() && has_prefix;
        if !has_app && (low.get("app").is_some() || !enough_without) {
            return Err(no_app(framework, &directory));
        }
        let reading = Reading {
            php: low.get("php-binary").unwrap_or("php"),
            connection: low.get("connection").unwrap_or_default(),
            guess,
        };
        let read = || App::read(framework, spoken.version, &directory, environment, reading);
        let app = match has_app.then(read) {
            None => None,
            Some(Err(Error::NoWayToRead { .. } | Error::NoWayToAsk { .. })) if enough_without => None,
            Some(read) => Some(read?),
        };
        #[cfg_attr(not(feature = "http"), expect(unused_mut, reason = "only the routes are added"))]
        let mut config = Self::complete(&low, spoken, app.as_ref(), &directory)?;
        #[cfg(feature = "http")]
        if let Some(table) = table {
            config.http = http::routes(&low, &HttpRoute::from_toml(&table)?)?;
            config.sources = config.told_sources(&low);
        }
        Ok(config)
    }

    fn complete(low: &Low, spoken: Spoken, app: Option<&App>, directory: &Path) -> Result<Self, Error> {
        if let Some(app) = app
            && app.driver.as_deref() != Some("redis")
        {
            let driver = app.driver.clone().unwrap_or_else(|| "none: it is not configured".into());
            return Err(Error::NotRedis { connection: app.connection.clone(), driver });
        }
        let connection = app.map(|app| app.connection.clone());
        let connection = connection.unwrap_or_else(|| low.get("connection").unwrap_or("redis").to_owned());
        let from_app = app.and_then(|app| app.redis.as_ref());
        let redis = match (low.get("redis"), from_app) {
            (Some(url), _) => url.to_owned(),
            (None, Some(redis)) => redis.url()?,
            (None, None) => {
                return Err(Error::NoRedis { connection, what: "is not configured" });
            }
        };
        let prefix =
            low.get("prefix").or(from_app.map(|redis| &*redis.prefix)).unwrap_or_default().to_owned();
        let cluster = redis.split_once("://").is_some_and(|(scheme, _)| scheme.ends_with("+cluster"));
        let dialect = spoken.dialect(low, app, prefix, cluster);
        let defaults = Defaults::of(&dialect);
        let default_queue = app.map_or(defaults.queue, |app| &app.queue);
        let options = options::of(low, app, &defaults)?;
        // PHP takes a zone's name in any case.
        let timezone = |name: Option<&str>| name.and_then(|name| Tz::from_str_insensitive(name).ok());
        let zone: Tz = timezone(app.map(|app| &*app.timezone)).unwrap_or(Tz::UTC);
        let told = app.into_iter().flat_map(|app| app.warnings.iter().cloned());
        let rewriting = from_app.into_iter().flat_map(|redis| &redis.rewrites_values);
        let warnings = rewriting.map(|option| doubts::rewriting(option));
        if low.get("namespace").is_some() && !matches!(dialect, Dialect::Think(_)) {
            return Err(Error::NoNamespace);
        }
        let queues = options::queues(low.get("queue").filter(|queues| !queues.is_empty()), default_queue);
        if options.reload_timeout && dialect.keys(default_queue).timeout.is_none() {
            return Err(Error::NothingToReload);
        }
        if let Some(queue) = queues.iter().find(|queue| dialect.is_torn(queue)) {
            return Err(Error::Untagged { queue: queue.clone() });
        }
        if matches!(dialect, Dialect::Hyperf(_)) && low.number("php", 0)? > 0 {
            return Err(Error::NoHyperfPool);
        }
        let php = pool::of(low, app, directory, &dialect, &connection, &queues, &options)?;
        let mut warnings: Vec<String> = told.chain(warnings).collect();
        let (lease, setting) = (options.lease_seconds(), dialect::lease_setting(&dialect));
        if lease < 10 {
            let others = match dialect {
                Dialect::Laravel(_) | Dialect::Think(_) => {
                    "PHP workers take a job that runs longer a second time"
                }
                Dialect::Hyperf(_) => "Hyperf's consumers put a message that runs longer on the timeout list",
            };
            warnings.push(format!(
                "Reservations are {lease} s long ({setting} of [{connection}], or --lease): ours are renewed three times in \
                 that time, and {others}. Ten seconds is little already."
            ));
        }
        let failed = match failed::typed(low, &dialect)? {
            Some(typed) => typed,
            None => failed::of_app(app, &dialect, directory),
        };
        if app.is_none() && failed == Failed::Null && !dialect.keeps_failed() {
            warnings.push(format!(
                "There is no app to say where failed jobs of [{}] are kept: they are kept nowhere. --failed-jobs names a table.",
                queues.join(",")
            ));
        }
        let named = restart::named(low, &dialect)?;
        let restart = named.or_else(|| app.and_then(|app| app.restart.clone()));
        if let Some(RestartKey::Unknown(driver)) = &restart {
            warnings.push(restart::unheard(driver));
        }
        if let Dialect::Think(Think { namespace, .. }) = &dialect
            && php.children > 0
            && namespace != "app"
        {
            warnings.push(format!(
                "Jobs without a namespace are classes in [{namespace}\\job] here, but PHP processes boot as the skeleton's \
                 think file does, and know nothing of what the app's own sets: let a service of the app call \
                 setNamespace('{namespace}') unless one does."
            ));
        }
        let mut config = Config {
            queues,
            default_queue: default_queue.to_owned(),
            migration_batch_size: app
                .and_then(|app| app.migration_batch_size)
                .and_then(|size| size.try_into().ok()),
            expire_reservations: !low.is_on("no-expire") && !app.is_some_and(|app| app.endless),
            max_payload: low.number("max-payload", 128 << 20)?,
            options,
            failed,
            restart,
            php,
            #[cfg(feature = "http")]
            http: http::routes(low, &[])?,
            #[cfg(feature = "http")]
            signing: http::signing(low),
            health: low.get("health").map(str::to_owned),
            timezone: zone,
            output_timezone: timezone(app.and_then(|app| app.output_timezone.as_deref())).unwrap_or(zone),
            screen: Screen {
                json: low.is_on("json"),
                quiet: low.is_on("quiet"),
                verbosity: low.number("verbose", 0)?,
                ansi: if low.is_on("no-ansi") { Some(false) } else { low.is_on("ansi").then_some(true) },
                lines: dialect.lines(),
            },
            app: app.cloned(),
            dialect,
            also: also::connections(low, &redis)?,
            redis: RedisUrl(redis),
            sources: Vec::new(),
            warnings,
            connection,
        };
        config.sources = config.told_sources(low);
        Ok(config)
    }

    /// True where a worker of the other configuration would do all the same; who said so may differ.
    fn works_as(&self, other: &Config) -> bool {
        fn plain(config: &Config) -> Config {
            let also = config.also.iter().map(plain).collect();
            Config { app: None, also, sources: Vec::new(), warnings: Vec::new(), ..config.clone() }
        }
        plain(self) == plain(other)
    }

    /// Each setting that matters, with its value and where it came from; no secrets.
    fn told_sources(&self, low: &Low) -> Vec<String> {
        let origin = self.app.as_ref().map(|app| app.origin.clone());
        let from = |name: &str, of_app: bool| match (low.source(name), &origin) {
            (Some(source), _) => source.to_string(),
            (None, Some(origin)) if of_app => origin.clone(),
            (None, _) => "default".to_owned(),
        };
        let address = address(&self.redis);
        let says = |what: fn(&App) -> bool| self.app.as_ref().is_some_and(what);
        let rows = [
            ("connection", self.connection.clone(), true),
            ("queue", self.queues.join(","), true),
            ("redis", address, true),
            ("prefix", self.dialect.prefix().to_owned(), true),
            ("lease", self.options.lease_seconds().to_string(), true),
            ("tries", self.options.tries.to_string(), false),
            ("timeout", self.options.timeout.to_string(), false),
            ("backoff", self.options.backoff.clone(), says(|app| app.backoff.is_some())),
            ("concurrency", self.options.concurrency.to_string(), says(|app| app.concurrency.is_some())),
            ("php", self.php.children.to_string(), false),
        ];
        #[cfg(feature = "http")]
        let rows = {
            let to = |(pattern, endpoint): &(String, crate::handler::Endpoint)| {
                format!("{pattern} to {}", endpoint.shown())
            };
            let routes: Vec<String> = self.http.iter().map(to).collect();
            let routes = (!routes.is_empty()).then(|| ("http", routes.join(", "), false));
            rows.into_iter().chain(routes)
        };
        let row = |(name, value, of_app): (&str, String, bool)| {
            let mut line = String::new();
            let _ = write!(line, "{name} [{value}] from {}", from(name, of_app));
            line
        };
        rows.into_iter().map(row).collect()
    }
}

fn no_app(framework: Framework, directory: &Path) -> Error {
    let way = match framework {
        Framework::Laravel => "give --redis and --prefix",
        Framework::Think | Framework::Hyperf => "give --redis and --queue",
    };
    let (directory, file) = (directory.to_owned(), framework.file());
    Error::NoApp { directory, framework: framework.name(), file, way }
}

/// What may be shown of a Redis URL's query.
const SHOWN: [&str; 6] = ["db=", "protocol=", "cafile=", "local_cert=", "local_pk=", "verify_peer="];

/// A Redis URL without user and password, wherever they stand.
fn address(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("redis", url));
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    let (place, query) = place.split_once('?').unwrap_or((place, ""));
    let path = format!("{scheme}://{place}");
    let kept: Vec<&str> =
        query.split('&').filter(|part| SHOWN.iter().any(|shown| part.starts_with(shown))).collect();
    if kept.is_empty() { path } else { format!("{path}?{}", kept.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn low(options: &[(&str, &str)]) -> Low {
        let mut low = Low::default();
        options.iter().for_each(|(name, value)| low.flag(name, *value));
        low
    }

    #[test]
    fn an_address_shows_no_password_wherever_it_stands() {
        for (url, shown) in [
            ("redis://:secret@localhost:6379/1", "redis://localhost:6379/1"),
            ("redis+unix:///s?db=2&pass=secret&user=u", "redis+unix:///s?db=2"),
            ("unix:///s?pass=secret&db=2", "unix:///s?db=2"),
            ("redis+sentinel://:secret@a,b/m/0?sentinel_password=secret", "redis+sentinel://a,b/m/0"),
            ("redis://u:p%40secret@h/0?protocol=resp3", "redis://h/0?protocol=resp3"),
        ] {
            assert_eq!(address(url), shown);
        }
    }

    #[test]
    fn two_flags_do_without_an_app_and_no_password_is_shown() {
        let directory = tempfile::tempdir().unwrap();
        let typed = [("redis", "redis://:secret@localhost/1"), ("prefix", "shop_"), ("queue", "a,b")];
        let spoken = Spoken::of(&low(&typed), Some(directory.path())).unwrap();
        let config = Config::complete(&low(&typed), spoken, None, directory.path()).unwrap();
        assert_eq!((config.dialect.prefix(), config.queues.len()), ("shop_", 2));
        assert!(!config.sources.join("\n").contains("secret"), "{:?}", config.sources);
    }
}
