//! `Dispatch`: a job to push, and how it is to be run.
//!
//! Owns the words in which that is said, which are Laravel's. Never pushes and never looks at a version: both are the
//! producer's. Counterpart in PHP: `Illuminate\Foundation\Bus\PendingDispatch`, the trait `Illuminate\Bus\Queueable`.

use std::time::Duration;

use crate::php;

/// A job to push.
///
/// What is not said here is taken from the command's public properties, as PHP takes it: `queue`, `delay`, `tries`,
/// `maxExceptions`, `failOnTimeout`, `backoff`, `timeout`, `retryUntil`. A property that PHP asks a method for (`tries()`,
/// `displayName()`) or leaves out of the command because it is the class's default is not there: say it here.
///
/// Durations are whole seconds to PHP; a begun second counts as one.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a Dispatch is pushed by Producer::dispatch or Context::dispatch"]
pub struct Dispatch {
    pub(super) command: Command,
    pub(super) queue: Option<String>,
    pub(super) connection: Option<String>,
    pub(super) chain_queue: Option<String>,
    pub(super) chain_connection: Option<String>,
    pub(super) delay: Option<Delay>,
    pub(super) tries: Option<u32>,
    pub(super) max_exceptions: Option<u32>,
    pub(super) fail_on_timeout: Option<bool>,
    pub(super) backoff: Option<Vec<i64>>,
    pub(super) timeout: Option<i64>,
    pub(super) retry_until: Option<i64>,
    pub(super) delete_when_missing_models: Option<bool>,
    pub(super) display_name: Option<String>,
    pub(super) chain: Vec<Dispatch>,
}

/// What runs.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    /// An object with a `handle` method.
    Object(php::Value),
    /// `Class@method`, called with the data.
    Named { job: String, data: serde_json::Value },
}

/// When it may run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Delay {
    /// So many seconds after the push.
    After(i64),
    /// At this Unix second.
    At(i64),
}

impl Dispatch {
    /// An object of a job class, such as [`php::object`] makes.
    pub fn object(command: impl Into<php::Value>) -> Dispatch {
        Dispatch::of(Command::Object(command.into()))
    }

    /// A string job: `App\Legacy@fire`, called with the job and this data; without a method PHP calls `fire`.
    pub fn named(job: impl Into<String>, data: impl Into<serde_json::Value>) -> Dispatch {
        Dispatch::of(Command::Named { job: job.into(), data: data.into() })
    }

    fn of(command: Command) -> Dispatch {
        Dispatch {
            command,
            queue: None,
            connection: None,
            chain_queue: None,
            chain_connection: None,
            delay: None,
            tries: None,
            max_exceptions: None,
            fail_on_timeout: None,
            backoff: None,
            timeout: None,
            retry_until: None,
            delete_when_missing_models: None,
            display_name: None,
            chain: Vec::new(),
        }
    }

    /// The queue; otherwise the producer's default. `$job->onQueue()`.
    pub fn on_queue(mut self, queue: impl Into<String>) -> Dispatch {
        self.queue = Some(queue.into());
        self
    }

    /// The connection, by its name in the app's `config/queue.php`: for the jobs of a chain, which PHP pushes. A job of our
    /// own goes to the producer's. `$job->onConnection()`.
    pub fn on_connection(mut self, connection: impl Into<String>) -> Dispatch {
        self.connection = Some(connection.into());
        self
    }

    /// The queue of this job and of the whole chain behind it; a chained job's own goes before. Without one, PHP pushes the
    /// chain onto the app's default queue. `$job->allOnQueue()`.
    pub fn all_on_queue(mut self, queue: impl Into<String>) -> Dispatch {
        let queue = queue.into();
        self.chain_queue = Some(queue.clone());
        self.on_queue(queue)
    }

    /// The connection of this job, which must be the producer's, and of the whole chain behind it; a chained job's own goes
    /// before. Without one, PHP pushes the chain to the app's default connection. `$job->allOnConnection()`.
    pub fn all_on_connection(mut self, connection: impl Into<String>) -> Dispatch {
        let connection = connection.into();
        self.chain_connection = Some(connection.clone());
        self.on_connection(connection)
    }

    /// Not before this much later; of a chained job, counted from when the one before it has run. `$job->delay()`.
    pub fn delay(mut self, delay: Duration) -> Dispatch {
        self.delay = Some(Delay::After(seconds(delay)));
        self
    }

    /// Not before this Unix second. `$job->delay(Carbon::createFromTimestamp())`.
    pub fn available_at(mut self, unix: i64) -> Dispatch {
        self.delay = Some(Delay::At(unix));
        self
    }

    /// Attempts; 0 is unlimited. `$tries`.
    pub fn tries(mut self, tries: u32) -> Dispatch {
        self.tries = Some(tries);
        self
    }

    /// Exceptions after which it fails, whatever its attempts. `$maxExceptions`, Laravel 7 on.
    pub fn max_exceptions(mut self, exceptions: u32) -> Dispatch {
        self.max_exceptions = Some(exceptions);
        self
    }

    /// A timeout fails it for good. `$failOnTimeout`, Laravel 8.43 on.
    pub fn fail_on_timeout(mut self, fail: bool) -> Dispatch {
        self.fail_on_timeout = Some(fail);
        self
    }

    /// How long it waits after its first, second, ... exception; the last counts for all further ones. `$backoff`; before
    /// Laravel 8 `$retryAfter`, which is one duration.
    pub fn backoff(mut self, backoff: impl IntoIterator<Item = Duration>) -> Dispatch {
        self.backoff = Some(backoff.into_iter().map(seconds).collect());
        self
    }

    /// How long an attempt may take; zero is without end. `$timeout`.
    pub fn timeout(mut self, timeout: Duration) -> Dispatch {
        self.timeout = Some(seconds(timeout));
        self
    }

    /// It may be tried until this Unix second, whatever its attempts. `retryUntil()`.
    pub fn retry_until(mut self, unix: i64) -> Dispatch {
        self.retry_until = Some(unix);
        self
    }

    /// It is deleted where a model it carries is gone. `$deleteWhenMissingModels`, which before Laravel 13 only the class
    /// can say.
    pub fn delete_when_missing_models(mut self, delete: bool) -> Dispatch {
        self.delete_when_missing_models = Some(delete);
        self
    }

    /// The name that artisan and dashboards show. `displayName()`; otherwise the class.
    pub fn display_name(mut self, name: impl Into<String>) -> Dispatch {
        self.display_name = Some(name.into());
        self
    }

    /// The jobs that follow, each when the one before it has succeeded: objects, whose classes must use `Queueable`. What is
    /// said of each becomes its properties, which its class must declare. `$job->chain()`.
    pub fn chain(mut self, jobs: impl IntoIterator<Item: Into<Dispatch>>) -> Dispatch {
        self.chain = jobs.into_iter().map(Into::into).collect();
        self
    }

    /// The class of the object, or the string job as given.
    pub(super) fn name(&self) -> String {
        match &self.command {
            Command::Object(value) => value.class().unwrap_or_default().into_owned(),
            Command::Named { job, .. } => job.clone(),
        }
    }
}

/// Whole seconds, a begun one included; as many as PHP's int holds.
fn seconds(duration: Duration) -> i64 {
    let seconds = duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0));
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

impl From<php::Value> for Dispatch {
    fn from(command: php::Value) -> Self {
        Dispatch::object(command)
    }
}

impl From<php::Object> for Dispatch {
    fn from(command: php::Object) -> Self {
        Dispatch::object(command)
    }
}
