//! The worker: reserve, run, settle, until there is a reason to stop.
//!
//! Owns how the parts are put together; the ledger moves, `attempt` runs one job, [`policy`] decides. Never names a
//! framework. Counterpart in PHP: `Illuminate\Queue\Worker`.

mod attempt;
mod desk;
mod health;
mod ledger;
mod line;
mod options;
mod outage;
pub mod policy;
mod pooled;
mod stop;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

pub use health::{Health, Report, Waiting};
pub use options::WorkerOptions;
pub use stop::StopReason;

use crate::clock::Clock;
use crate::control::{self, RestartKey};
use crate::dialect::Rules;
use crate::events::{Event, Events};
use crate::failed::{FailedJobStore, NullStore};
#[cfg(feature = "http")]
use crate::handler::http;
use crate::handler::php::Pool;
use crate::handler::{Context, Handler, Native, PoolOptions, Routes, State};
use crate::job::IntoOutcome;
use crate::producer::Producer;
use crate::queue::Queue;

/// What the ledger and all attempts share.
pub(crate) struct Shared {
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) connection: Arc<str>,
    pub(crate) queues: Vec<String>,
    /// The connection's own queue, for jobs that handlers push.
    pub(crate) default_queue: Arc<str>,
    pub(crate) options: WorkerOptions,
    pub(crate) rules: Rules,
    pub(crate) routes: Routes,
    /// Routes to endpoints, which become handlers when the worker starts.
    #[cfg(feature = "http")]
    pub(crate) endpoints: Vec<(String, http::Endpoint)>,
    #[cfg(feature = "http")]
    pub(crate) signing: http::Signing,
    pub(crate) state: State,
    /// `None` where only the app itself can write it, through a PHP child.
    pub(crate) failed: Option<Arc<dyn FailedJobStore>>,
    /// The name of that store.
    pub(crate) app_store: String,
    pub(crate) php: PoolOptions,
    /// The children, once started.
    pub(crate) pool: OnceLock<Pool>,
    /// Asked after `queue:restart`: whether this worker would be started otherwise now.
    pub(crate) settings_changed: Option<Box<dyn Fn() -> bool + Send + Sync>>,
    /// The cache item of `queue:restart`, where it is watched.
    pub(crate) restart: Option<RestartKey>,
    pub(crate) health: Health,
    /// Where health is asked for.
    #[cfg(feature = "health")]
    pub(crate) health_at: Option<String>,
    pub(crate) events: Events,
    pub(crate) clock: Clock,
}

impl Shared {
    /// What handlers push with.
    fn producer(&self) -> Producer {
        let (connection, default_queue) = (self.connection.clone(), self.default_queue.clone());
        Producer::shared(self.queue.clone(), connection, default_queue, self.rules.shape, self.clock.clone())
    }
}

/// A queue worker with native handlers.
///
/// ```
/// use handover::{Context, MemoryQueue, Outcome, Worker};
///
/// #[derive(serde::Deserialize)]
/// struct SendWelcomeEmail {
///     subject: String,
/// }
///
/// async fn welcome(job: SendWelcomeEmail, _: Context) -> handover::Result<Outcome> {
///     assert_eq!(job.subject, "Hello");
///     Ok(Outcome::Completed)
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> handover::Result<()> {
/// let queue = MemoryQueue::new();
/// let command = r#"O:25:\"App\\Jobs\\SendWelcomeEmail\":1:{s:7:\"subject\";s:5:\"Hello\";}"#;
/// queue.push_now("default", &format!(
///     r#"{{"displayName":"App\\Jobs\\SendWelcomeEmail","job":"Illuminate\\Queue\\CallQueuedHandler@call",
///         "data":{{"commandName":"App\\Jobs\\SendWelcomeEmail","command":"{command}"}},"attempts":0}}"#
/// ));
/// Worker::on(queue.clone()).handle("App\\Jobs\\SendWelcomeEmail", welcome).drain().await?;
/// assert_eq!(queue.sizes("default").pending, 0);
/// # Ok(())
/// # }
/// ```
pub struct Worker(Shared);

impl Worker {
    /// A worker on this queue, with the defaults of `queue:work`; failed jobs are not kept until
    /// [`failed_jobs`](Self::failed_jobs) says where.
    pub fn on(queue: impl Queue) -> Self {
        Worker(Shared {
            queue: Arc::new(queue),
            connection: "redis".into(),
            queues: vec!["default".into()],
            default_queue: "default".into(),
            options: WorkerOptions::default(),
            rules: Rules::default(),
            routes: Routes::default(),
            #[cfg(feature = "http")]
            endpoints: Vec::new(),
            #[cfg(feature = "http")]
            signing: http::Signing::default(),
            state: State::default(),
            failed: Some(Arc::new(NullStore)),
            app_store: String::new(),
            php: PoolOptions::default(),
            pool: OnceLock::new(),
            settings_changed: None,
            restart: None,
            health: Health::new(),
            #[cfg(feature = "health")]
            health_at: None,
            events: Events::default(),
            clock: Clock::system(),
        })
    }

    /// The handler of a class, or of all classes a pattern such as `App\Jobs\Reports\*` names.
    #[must_use]
    pub fn handle<F, T, Fut>(mut self, pattern: &str, function: F) -> Self
    where
        F: Fn(T, Context) -> Fut + Send + Sync + 'static,
        T: DeserializeOwned + Send + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoOutcome,
    {
        self.0.routes.insert(pattern, Arc::new(Native::new(function)));
        self
    }

    /// The same for a [`Handler`] that wants the payload undecoded.
    #[must_use]
    pub fn route(mut self, pattern: &str, handler: impl Handler) -> Self {
        self.0.routes.insert(pattern, Arc::new(handler));
        self
    }

    /// The endpoint of a class, or of all classes a pattern names: each attempt is one signed POST, and its answer is
    /// the outcome. A URL is enough where [`http_secret`](Self::http_secret) or the configuration names a secret. Goes
    /// before a handler of the same pattern.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn http(mut self, pattern: &str, endpoint: impl Into<http::Endpoint>) -> Self {
        self.0.endpoints.push((pattern.to_owned(), endpoint.into()));
        self
    }

    /// What requests to endpoints without a secret of their own are signed with: `whsec_` and base64, or raw; several,
    /// separated by spaces, while one takes the place of another.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn http_secret(mut self, secrets: &str) -> Self {
        self.0.signing.secrets = http::Secret::several(secrets);
        self
    }

    /// The same as a value, and whether requests may go unsigned where there is no secret.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn signing(mut self, signing: http::Signing) -> Self {
        self.0.signing = signing;
        self
    }

    /// PHP children for every class without a handler: so many jobs run in PHP at once. 0 is no pool.
    #[must_use]
    pub fn php(mut self, children: usize) -> Self {
        self.0.php.children = children;
        self
    }

    /// The same with everything that can be said of the pool.
    #[must_use]
    pub fn pool(mut self, options: PoolOptions) -> Self {
        self.0.php = options;
        self
    }

    /// A value that handlers find by its type in [`Context::state`].
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.0.state.insert(value);
        self
    }

    /// The queues to poll, in strict order of priority.
    #[must_use]
    pub fn queues<I: IntoIterator<Item: Into<String>>>(mut self, queues: I) -> Self {
        self.0.queues = queues.into_iter().map(Into::into).collect();
        self
    }

    /// How many jobs run at once.
    #[must_use]
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.0.options.concurrency = jobs;
        self
    }

    /// Attempts of a job that names no limit of its own; 0 is unlimited.
    #[must_use]
    pub fn tries(mut self, tries: i64) -> Self {
        self.0.options.tries = tries;
        self
    }

    /// All options at once.
    #[must_use]
    pub fn options(mut self, options: WorkerOptions) -> Self {
        self.0.options = options;
        self
    }

    /// The connection's name as it is written into failed jobs.
    #[must_use]
    pub fn connection(mut self, name: &str) -> Self {
        self.0.connection = name.into();
        self
    }

    /// The connection's own queue, for jobs that handlers push without naming one; otherwise `default`.
    #[must_use]
    pub fn default_queue(mut self, name: &str) -> Self {
        self.0.default_queue = name.into();
        self
    }

    /// The rules of the app's framework version; without it the newest's.
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.0.rules = rules;
        self
    }

    /// Where failed jobs are kept.
    #[must_use]
    pub fn failed_jobs(mut self, store: impl FailedJobStore) -> Self {
        self.0.failed = Some(Arc::new(store));
        self
    }

    /// Failed jobs are recorded by the app itself, in a PHP child: for a store that this library cannot write. `store`
    /// names it where there are no children to do so.
    #[must_use]
    pub fn failed_jobs_by_the_app(mut self, store: &str) -> Self {
        self.0.failed = None;
        self.0.app_store = store.to_owned();
        self
    }

    /// Asked, on a thread that may block, after the app's `queue:restart`: true where this worker would be started with
    /// other settings by now, and should stop so that it is.
    #[must_use]
    pub fn settings_changed(mut self, changed: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.0.settings_changed = Some(Box::new(changed));
        self
    }

    /// Where the app's cache keeps the item of `queue:restart`: once it changes the worker finishes what runs and stops.
    /// Not looked at with `--once`.
    #[must_use]
    pub fn restart_key(mut self, key: RestartKey) -> Self {
        self.0.restart = Some(key);
        self
    }

    /// How the worker stands, for as long as somebody keeps this.
    pub fn health(&self) -> Health {
        self.0.health.clone()
    }

    /// Answers `GET /health` at this address, such as `127.0.0.1:9600`.
    #[cfg(feature = "health")]
    #[must_use]
    pub fn health_at(mut self, address: &str) -> Self {
        self.0.health_at = Some(address.to_owned());
        self
    }

    /// One more listener to everything that happens.
    #[must_use]
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.0.events = self.0.events.and(listener);
        self
    }

    /// The clock that times are taken from.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.0.clock = clock;
        self
    }

    /// True where no handler was registered and there is no pool: such a worker would hand back every job.
    pub fn has_no_handlers(&self) -> bool {
        #[cfg(feature = "http")]
        if !self.0.endpoints.is_empty() {
            return false;
        }
        self.0.routes.is_empty() && self.0.php.children == 0
    }

    /// The queues it polls, in order of priority.
    pub fn polled(&self) -> &[String] {
        &self.0.queues
    }

    /// Works until a signal or an option ends it.
    ///
    /// # Errors
    /// Where signals cannot be listened to, nobody could record a failed job, or an endpoint cannot be used. Trouble with Redis is not an error: it
    /// is told as an event and waited out.
    #[cfg_attr(not(feature = "http"), expect(unused_mut, reason = "only endpoints change it"))]
    pub async fn run(mut self) -> std::io::Result<StopReason> {
        #[cfg(feature = "http")]
        self.reach_endpoints()?;
        if self.0.failed.is_none() && self.0.php.children == 0 {
            return Err(std::io::Error::other(format!(
                "queue.failed keeps failed jobs by [{}]; Handover itself writes database-uuids and database on mysql, \
                 mariadb, pgsql and sqlite, file (Laravel 10.10 on) and null. With --php the app writes them.",
                self.0.app_store
            )));
        }
        let (tell, told) = mpsc::unbounded_channel();
        control::signals(&tell)?;
        #[cfg(feature = "health")]
        let _serving = match &self.0.health_at {
            None => None,
            Some(address) => {
                let listener = tokio::net::TcpListener::bind(address).await.map_err(|error| {
                    std::io::Error::new(
                        error.kind(),
                        format!("--health: [{address}] cannot be listened on: {error}"),
                    )
                })?;
                let serving = tokio::spawn(crate::telemetry::serve_health(listener, self.0.health.clone()));
                Some(AbortOnDropHandle::new(serving))
            }
        };
        let _watching = match self.0.restart.clone().filter(|_| !self.0.options.once) {
            None => None,
            Some(key) => {
                let known = key.at_start().await;
                Some(AbortOnDropHandle::new(tokio::spawn(key.watch(known, tell))))
            }
        };
        Ok(self.work(told).await)
    }

    /// Works until the queues are empty and nothing runs, deaf to signals: for tests of handlers.
    ///
    /// # Errors
    /// Where an endpoint cannot be used.
    pub async fn drain(mut self) -> std::io::Result<StopReason> {
        #[cfg(feature = "http")]
        self.reach_endpoints()?;
        self.0.options.stop_when_empty = true;
        let (_open, deaf) = mpsc::unbounded_channel();
        Ok(self.work(deaf).await)
    }

    /// Makes handlers of the routes to endpoints, all on one client.
    #[cfg(feature = "http")]
    fn reach_endpoints(&mut self) -> std::io::Result<()> {
        let Shared { endpoints, signing, routes, clock, .. } = &mut self.0;
        let endpoints = std::mem::take(endpoints).into_iter();
        let endpoints = endpoints.map(|(pattern, endpoint)| (pattern, endpoint.or_by(signing))).collect();
        for (pattern, handler) in http::handlers(endpoints, clock).map_err(std::io::Error::other)? {
            routes.insert(&pattern, Arc::new(handler));
        }
        Ok(())
    }

    async fn work(self, signals: mpsc::UnboundedReceiver<control::Signal>) -> StopReason {
        let mut shared = self.0;
        shared.options = shared.options.bounded();
        shared.health.begins(Duration::from_secs(shared.options.lease_seconds() as u64));
        let shared = Arc::new(shared);
        let (connection, queues) = (shared.connection.clone(), shared.queues.clone());
        shared.events.emit(Event::WorkerStarting { connection, queues });
        let reason = ledger::Ledger::new(shared.clone()).run(signals).await;
        shared.events.emit(Event::WorkerStopping { reason: reason.name(), status: reason.status() });
        reason
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { connection, queues, options, routes, .. } = &self.0;
        let mut debug = f.debug_struct("Worker");
        debug.field("connection", connection).field("queues", queues).field("options", options);
        debug.field("routes", routes).finish()
    }
}
