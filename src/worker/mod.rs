//! The worker: reserve, run, settle, until there is a reason to stop.
//!
//! Owns how the parts are put together; the ledger moves, `attempt` runs one job, [`policy`] decides. Never names a
//! framework. Counterpart in PHP: `Illuminate\Queue\Worker`.

mod attempt;
mod connection;
mod contact;
mod desk;
mod health;
mod ledger;
mod line;
mod options;
mod outage;
pub mod policy;
mod pooled;
mod reload;
mod stop;

use std::fmt;
use std::sync::{Arc, OnceLock};

use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use connection::Connection;
pub use health::{Health, Report, Waiting};
pub use options::WorkerOptions;
pub use stop::StopReason;

use crate::clock::Clock;
use crate::control::{self, RestartKey};
use crate::events::{Event, Events};
use crate::failed::FailedJobStore;
#[cfg(feature = "http")]
use crate::handler::http;
use crate::handler::php::Pool;
use crate::handler::{Context, Handler, Native, PoolOptions, Routes, State};
use crate::job::IntoOutcome;
use crate::queue::Queue;

/// What the ledger and all attempts share.
pub(crate) struct Shared {
    /// Polled in this order. The first is the worker's own, whose options are its options.
    pub(crate) connections: Vec<Arc<Connection>>,
    pub(crate) options: WorkerOptions,
    pub(crate) routes: Routes,
    /// Routes to endpoints, which become handlers when the worker starts.
    #[cfg(feature = "http")]
    pub(crate) endpoints: Vec<(String, http::Endpoint)>,
    #[cfg(feature = "http")]
    pub(crate) signing: http::Signing,
    pub(crate) state: State,
    pub(crate) php: PoolOptions,
    /// The children, once started.
    pub(crate) pool: OnceLock<Pool>,
    /// Asked after `queue:restart`: whether this worker would be started otherwise now.
    pub(crate) settings_changed: Option<Box<dyn Fn() -> bool + Send + Sync>>,
    /// The cache items of `queue:restart` that are watched.
    pub(crate) restart: Vec<RestartKey>,
    pub(crate) health: Health,
    /// Where health is asked for.
    #[cfg(feature = "health")]
    pub(crate) health_at: Option<String>,
    pub(crate) events: Events,
    pub(crate) clock: Clock,
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
pub struct Worker {
    shared: Shared,
    /// Its own connection; its options are the worker's until it starts.
    own: Connection,
    others: Vec<Connection>,
}

impl Worker {
    /// A worker on this queue, with the defaults of `queue:work`; failed jobs are not kept until
    /// [`failed_jobs`](Self::failed_jobs) says where.
    pub fn on(queue: impl Queue) -> Self {
        let shared = Shared {
            connections: Vec::new(),
            options: WorkerOptions::default(),
            routes: Routes::default(),
            #[cfg(feature = "http")]
            endpoints: Vec::new(),
            #[cfg(feature = "http")]
            signing: http::Signing::default(),
            state: State::default(),
            php: PoolOptions::default(),
            pool: OnceLock::new(),
            settings_changed: None,
            restart: Vec::new(),
            health: Health::new(),
            #[cfg(feature = "health")]
            health_at: None,
            events: Events::default(),
            clock: Clock::system(),
        };
        Worker { shared, own: Connection::of(queue), others: Vec::new() }
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
        self.shared.routes.insert(pattern, Arc::new(Native::new(function)));
        self
    }

    /// The same for a [`Handler`] that wants the payload undecoded.
    #[must_use]
    pub fn route(mut self, pattern: &str, handler: impl Handler) -> Self {
        self.shared.routes.insert(pattern, Arc::new(handler));
        self
    }

    /// The endpoint of a class, or of all classes a pattern names: each attempt is one signed POST, and its answer is
    /// the outcome. A URL is enough where [`http_secret`](Self::http_secret) or the configuration names a secret. Goes
    /// before a handler of the same pattern.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn http(mut self, pattern: &str, endpoint: impl Into<http::Endpoint>) -> Self {
        self.shared.endpoints.push((pattern.to_owned(), endpoint.into()));
        self
    }

    /// What requests to endpoints without a secret of their own are signed with: `whsec_` and base64, or raw; several,
    /// separated by spaces, while one takes the place of another.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn http_secret(mut self, secrets: &str) -> Self {
        self.shared.signing.secrets = http::Secret::several(secrets);
        self
    }

    /// The same as a value, and whether requests may go unsigned where there is no secret.
    #[cfg(feature = "http")]
    #[must_use]
    pub fn signing(mut self, signing: http::Signing) -> Self {
        self.shared.signing = signing;
        self
    }

    /// PHP children for every class without a handler: so many jobs run in PHP at once. 0 is no pool.
    #[must_use]
    pub fn php(mut self, children: usize) -> Self {
        self.shared.php.children = children;
        self
    }

    /// The same with everything that can be said of the pool.
    #[must_use]
    pub fn pool(mut self, options: PoolOptions) -> Self {
        self.shared.php = options;
        self
    }

    /// A value that handlers find by its type in [`Context::state`].
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.shared.state.insert(value);
        self
    }

    /// The queues to poll, in strict order of priority.
    #[must_use]
    pub fn queues<I: IntoIterator<Item: Into<String>>>(mut self, queues: I) -> Self {
        self.own.queues = queues.into_iter().map(Into::into).collect();
        self
    }

    /// How many jobs run at once.
    #[must_use]
    pub fn concurrency(mut self, jobs: usize) -> Self {
        self.shared.options.concurrency = jobs;
        self
    }

    /// Attempts of a job that names no limit of its own; 0 is unlimited.
    #[must_use]
    pub fn tries(mut self, tries: i64) -> Self {
        self.shared.options.tries = tries;
        self
    }

    /// All options at once.
    #[must_use]
    pub fn options(mut self, options: WorkerOptions) -> Self {
        self.shared.options = options;
        self
    }

    /// The connection's name as it is written into failed jobs and into the log.
    #[must_use]
    pub fn connection(mut self, name: &str) -> Self {
        self.own.name = name.into();
        self
    }

    /// The connection's own queue, for jobs that handlers push without naming one; otherwise `default`.
    #[must_use]
    pub fn default_queue(mut self, name: &str) -> Self {
        self.own.default_queue = name.into();
        self
    }

    /// Where failed jobs are kept. Not needed for Hyperf, which keeps them beside the queue.
    #[must_use]
    pub fn failed_jobs(mut self, store: impl FailedJobStore) -> Self {
        self.own.failed = Some(Arc::new(store));
        self
    }

    /// Failed jobs are recorded by the app itself, in a PHP child: for a store that this library cannot write. `store`
    /// names it where there are no children to do so.
    #[must_use]
    pub fn failed_jobs_by_the_app(mut self, store: &str) -> Self {
        self.own.failed = None;
        self.own.app_store = store.to_owned();
        self
    }

    /// Asked, on a thread that may block, after the app's `queue:restart`: true where this worker would be started with
    /// other settings by now, and should stop so that it is.
    #[must_use]
    pub fn settings_changed(mut self, changed: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.shared.settings_changed = Some(Box::new(changed));
        self
    }

    /// Where the app's cache keeps the item of `queue:restart`: once it changes the worker finishes what runs and stops.
    /// Not looked at with `--once`. May be named for several apps.
    #[must_use]
    pub fn restart_key(mut self, key: RestartKey) -> Self {
        self.shared.restart.push(key);
        self
    }

    /// How the worker stands, for as long as somebody keeps this.
    pub fn health(&self) -> Health {
        self.shared.health.clone()
    }

    /// Answers `GET /health` at this address, such as `127.0.0.1:9600`.
    #[cfg(feature = "health")]
    #[must_use]
    pub fn health_at(mut self, address: &str) -> Self {
        self.shared.health_at = Some(address.to_owned());
        self
    }

    /// Serves the queues of the other worker, too: those of another app or framework, on the same Redis or on another. In
    /// each round they are asked after this one's own, for the slots that are still free: while its own queues have more
    /// jobs than there are slots, the other's wait, as a later one of [`queues`](Self::queues) does.
    ///
    /// For their jobs the other's connection, framework, limits and store of failed jobs hold; its handlers are added to
    /// this one's, its `queue:restart` ends this one, and what else it was told is dropped. PHP children stay those of
    /// this worker's app, and are given no job of the other's.
    #[must_use]
    pub fn also(mut self, other: Worker) -> Self {
        let Worker { shared, own, others } = other;
        let own = Connection { options: shared.options.bounded(), ..own };
        let beside = std::iter::once(own).chain(others);
        self.others.extend(beside.map(|connection| Connection { has_pool: false, ..connection }));
        self.shared.routes.add(shared.routes);
        self.shared.restart.extend(shared.restart);
        #[cfg(feature = "http")]
        {
            let signed =
                |(pattern, endpoint): (String, http::Endpoint)| (pattern, endpoint.or_by(&shared.signing));
            self.shared.endpoints.extend(shared.endpoints.into_iter().map(signed));
        }
        self
    }

    /// One more listener to everything that happens.
    #[must_use]
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.shared.events = self.shared.events.and(listener);
        self
    }

    /// The clock that times are taken from.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.shared.clock = clock;
        self
    }

    /// True where no handler was registered and there is no pool: such a worker would hand back every job.
    pub fn has_no_handlers(&self) -> bool {
        #[cfg(feature = "http")]
        if !self.shared.endpoints.is_empty() {
            return false;
        }
        self.shared.routes.is_empty() && self.shared.php.children == 0
    }

    /// The queues it polls, in order of priority.
    pub fn polled(&self) -> &[String] {
        &self.own.queues
    }

    /// Works until a signal or an option ends it.
    ///
    /// # Errors
    /// Where signals cannot be listened to, nobody could record a failed job or run the jobs of other connections, an
    /// endpoint cannot be used, or there can be no pool of PHP processes. Trouble with Redis is not an error: it is told as an event and waited out.
    pub async fn run(mut self) -> std::io::Result<StopReason> {
        #[cfg(feature = "http")]
        self.reach_endpoints()?;
        if self.shared.php.children > 0 && !self.own.rules.has_pool {
            return Err(std::io::Error::other(crate::dialect::hyperf::NO_POOL));
        }
        if !self.others.is_empty() && self.shared.routes.is_empty() {
            let names: Vec<&str> =
                self.others.iter().flat_map(|other| &other.queues).map(|name| &**name).collect();
            return Err(std::io::Error::other(format!(
                "nobody here runs the jobs of [{}]: PHP processes run those of the worker's own app, so --also needs a \
                 handler, or an endpoint with --http.",
                names.join(",")
            )));
        }
        let nobody_records = |connection: &&Connection| {
            connection.failed.is_none() && !(connection.has_pool && self.shared.php.children > 0)
        };
        if let Some(connection) = std::iter::once(&self.own).chain(&self.others).find(nobody_records) {
            return Err(std::io::Error::other(format!(
                "queue.failed keeps failed jobs by [{}]; Handover itself writes database-uuids and database on mysql, \
                 mariadb, pgsql and sqlite, file (Laravel 10.10 on) and null. With --php the app writes them.",
                connection.app_store
            )));
        }
        let (tell, told) = mpsc::unbounded_channel();
        control::signals(&tell)?;
        #[cfg(feature = "health")]
        let _serving = match &self.shared.health_at {
            None => None,
            Some(address) => {
                let listener = tokio::net::TcpListener::bind(address).await.map_err(|error| {
                    std::io::Error::new(
                        error.kind(),
                        format!("--health: [{address}] cannot be listened on: {error}"),
                    )
                })?;
                let serving =
                    tokio::spawn(crate::telemetry::serve_health(listener, self.shared.health.clone()));
                Some(AbortOnDropHandle::new(serving))
            }
        };
        let mut watching = Vec::new();
        for key in std::mem::take(&mut self.shared.restart) {
            if self.shared.options.once {
                break;
            }
            let known = key.at_start().await;
            watching.push(AbortOnDropHandle::new(tokio::spawn(key.watch(known, tell.clone()))));
        }
        Ok(self.work(told).await)
    }

    /// Works until the queues are empty and nothing runs, deaf to signals: for tests of handlers.
    ///
    /// # Errors
    /// Where an endpoint cannot be used.
    pub async fn drain(mut self) -> std::io::Result<StopReason> {
        #[cfg(feature = "http")]
        self.reach_endpoints()?;
        self.shared.options.stop_when_empty = true;
        let (_open, deaf) = mpsc::unbounded_channel();
        Ok(self.work(deaf).await)
    }

    /// Makes handlers of the routes to endpoints, all on one client.
    #[cfg(feature = "http")]
    fn reach_endpoints(&mut self) -> std::io::Result<()> {
        let Shared { endpoints, signing, routes, clock, .. } = &mut self.shared;
        let endpoints = std::mem::take(endpoints).into_iter();
        let endpoints = endpoints.map(|(pattern, endpoint)| (pattern, endpoint.or_by(signing))).collect();
        for (pattern, handler) in http::handlers(endpoints, clock).map_err(std::io::Error::other)? {
            routes.insert(&pattern, Arc::new(handler));
        }
        Ok(())
    }

    async fn work(self, signals: mpsc::UnboundedReceiver<control::Signal>) -> StopReason {
        let Worker { mut shared, mut own, others } = self;
        shared.options = shared.options.bounded();
        own.options = shared.options.clone();
        shared.connections = std::iter::once(own).chain(others).map(Arc::new).collect();
        let longest = shared.connections.iter().map(|connection| connection.lease()).max();
        shared.health.begins(longest.expect("its own"));
        let shared = Arc::new(shared);
        for connection in &shared.connections {
            let (connection, queues) = (connection.name.clone(), connection.queues.clone());
            shared.events.emit(Event::WorkerStarting { connection, queues });
        }
        let reloads = |connection: &&Arc<Connection>| connection.options.reload_timeout;
        let reloading: Vec<_> = shared.connections.iter().filter(reloads).collect();
        if shared.options.stop_when_empty {
            // It must not stop for want of jobs that are about to be put back.
            for connection in &reloading {
                reload::look(connection, &shared.events).await;
            }
        }
        let reloading =
            reloading.into_iter().map(|connection| reload::reload(connection.clone(), shared.events.clone()));
        let _reloading: Vec<_> = reloading.map(|task| AbortOnDropHandle::new(tokio::spawn(task))).collect();
        let reason = ledger::Ledger::new(shared.clone()).run(signals).await;
        shared.events.emit(Event::WorkerStopping { reason: reason.name(), status: reason.status() });
        reason
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { options, routes, .. } = &self.shared;
        let mut debug = f.debug_struct("Worker");
        debug.field("connection", &self.own.name).field("queues", &self.own.queues).field("options", options);
        debug.field("routes", routes).finish()
    }
}
