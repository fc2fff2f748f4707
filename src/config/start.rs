//! A worker as its app configures it: `Worker::from_env`, and with flags `Worker::from_args`; a producer likewise.

use crate::config::{Config, Failed, Low};
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
use crate::failed::DatabaseStore;
use crate::failed::{FileStore, NullStore};
use crate::job::Exception;
use crate::producer::Producer;
use crate::queue::{RedisQueue, RedisQueueOptions};
use crate::redis::Redis;
use crate::telemetry;
use crate::worker::Worker;

impl Worker {
    /// The worker of the app in this directory, read as its own console reads it; `HANDOVER_*` variables go before.
    ///
    /// # Errors
    /// Where the app cannot be read or something in it is not supported; the message says what to do.
    pub fn from_env() -> Result<Worker, Exception> {
        let mut low = Low::default();
        low.environment()?;
        Worker::from_low(&low)
    }

    /// The same with the flags of `queue:work` on this process' command line before everything else; `--help` and
    /// wrong flags end the process as in any command.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    #[cfg(feature = "cli")]
    pub fn from_args() -> Result<Worker, Exception> {
        telemetry::log_to_stderr();
        let matches = super::flags::arguments(clap::Command::new("queue:work")).get_matches();
        let mut low = super::flags::typed(&matches);
        low.environment()?;
        Worker::from_low(&low)
    }

    /// The worker of what was typed, completed by the app. After `queue:restart` the same is read again: where it has
    /// changed, or the program itself has, the worker stops to be started anew.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_low(low: &Low) -> Result<Worker, Exception> {
        let config = Config::from_low(low)?;
        let (low, known, program) = (low.clone(), config.clone(), program());
        let changed = move || {
            // An app that cannot be read just now says nothing about what it will be.
            let differs = Config::from_low(&low).is_ok_and(|now| !now.works_as(&known));
            differs || self::program() != program
        };
        Ok(Worker::from_config(&config)?.settings_changed(changed))
    }

    /// A worker with this configuration: its queue, its store of failed jobs, its job lines and its log.
    ///
    /// # Errors
    /// Where Redis' URL or the failed-jobs database is not usable.
    pub fn from_config(config: &Config) -> Result<Worker, Exception> {
        let dialect = config.dialect.clone();
        let options = RedisQueueOptions {
            migration_batch_size: config.migration_batch_size,
            expire_reservations: config.expire_reservations,
            max_payload: config.max_payload,
            ..RedisQueueOptions::default()
        };
        let worker = Worker::on(RedisQueue::new(Redis::new(&config.redis)?, dialect, options))
            .connection(&config.connection)
            .queues(config.queues.clone())
            .default_queue(&config.default_queue)
            .options(config.options.clone())
            .pool(config.php.clone())
            .on_event(telemetry::job_lines(config.screen, config.output_timezone))
            .on_event(telemetry::log());
        #[cfg(feature = "http")]
        let worker = {
            let routes = config.http.iter();
            let worker = worker.signing(config.signing.clone());
            routes.fold(worker, |worker, (pattern, endpoint)| worker.http(pattern, endpoint.clone()))
        };
        #[cfg(feature = "health")]
        let worker = match &config.health {
            Some(address) => worker.health_at(address),
            None => worker,
        };
        #[cfg(feature = "cli")]
        let worker = worker.on_event(telemetry::progress(config.screen));
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        if config.screen.verbosity > 0 {
            config.sources.iter().for_each(|line| tracing::info!("{line}"));
            let told = |doubt: &&String| !config.warnings.contains(doubt);
            config.doubts().iter().filter(told).for_each(|doubt| tracing::warn!("{doubt}"));
        }
        let worker = config
            .also
            .iter()
            .try_fold(worker, |worker, other| Ok::<_, Exception>(worker.also(Worker::from_config(other)?)))?;
        Ok(match &config.failed {
            Failed::Database { driver, .. } if let Some(feature) = driver.missing_feature() => {
                let store = format!("{feature}, which this build lacks the feature `{feature}` for");
                worker.failed_jobs_by_the_app(&store)
            }
            #[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
            Failed::Database { driver, servers, table, key, time_column } => {
                let database = crate::sql::Database::new(*driver, servers.clone());
                let store = DatabaseStore::new(database, table, *key, config.timezone)?;
                worker.failed_jobs(store.time_column(time_column))
            }
            #[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
            Failed::Database { .. } => {
                worker.failed_jobs_by_the_app("a database, and this build speaks to none")
            }
            Failed::File { path, limit, lock } => {
                worker.failed_jobs(FileStore::new(path, *limit, lock.clone(), config.timezone))
            }
            Failed::App(driver) => worker.failed_jobs_by_the_app(driver),
            Failed::Null => worker.failed_jobs(NullStore),
        })
    }
}

impl Producer {
    /// The producer of the app in this directory, read as its own console reads it; `HANDOVER_*` variables go before. Jobs
    /// that name no queue go to the connection's own.
    ///
    /// # Errors
    /// Where the app cannot be read or something in it is not supported; the message says what to do.
    pub fn from_env() -> Result<Producer, Exception> {
        let mut low = Low::default();
        low.environment()?;
        Producer::from_config(&Config::from_low(&low)?)
    }

    /// A producer with this configuration.
    ///
    /// # Errors
    /// Where Redis' URL is not usable.
    pub fn from_config(config: &Config) -> Result<Producer, Exception> {
        let (dialect, options) = (config.dialect.clone(), RedisQueueOptions::default());
        let queue = RedisQueue::new(Redis::new(&config.redis)?, dialect, options);
        let producer = Producer::on(queue).connection(&config.connection);
        Ok(producer.default_queue(&config.default_queue))
    }
}

/// What tells this program's file from another under its name; nothing where the system does not tell.
fn program() -> Option<(u64, std::time::SystemTime)> {
    static PATH: std::sync::OnceLock<Option<std::path::PathBuf>> = std::sync::OnceLock::new();
    // The name is asked for once: after a replacement the system adds to it that the file is deleted.
    let path = PATH.get_or_init(|| std::env::current_exe().ok());
    let file = std::fs::metadata(path.as_ref()?).ok()?;
    Some((file.len(), file.modified().ok()?))
}
