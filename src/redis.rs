//! The way to Redis: one shared connection for commands and one of its own for blocking waits.
//!
//! Every call has a deadline. A connection that timed out, broke, or answers for a server that cannot serve us is dropped
//! and dialled anew, name resolution included, at the next call. Never sends a command twice.
//! Counterpart in PHP: `Illuminate\Redis\Connections\PhpRedisConnection`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo, RedisError, Script,
    Value, cmd, from_redis_value,
};
use tokio::sync::Mutex;

/// The deadline of a call, and of dialling.
const DEADLINE: Duration = Duration::from_secs(5);
/// What a blocking wait may take beyond the time it was asked to wait.
const MARGIN: Duration = Duration::from_secs(5);

/// Why Redis did not do what was asked; whether it took effect is open.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct Error {
    source: RedisError,
    /// There was no connection to send it on.
    never_sent: bool,
}

impl Error {
    /// True where the command certainly did not reach Redis.
    pub fn is_never_sent(&self) -> bool {
        self.never_sent
    }
}

impl From<RedisError> for Error {
    fn from(source: RedisError) -> Self {
        Error { source, never_sent: false }
    }
}

/// A Redis server. Cheap to clone; clones share the connections.
#[derive(Clone, Debug)]
pub struct Redis(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    client: Client,
    commands: Mutex<Option<Dialled>>,
    blocking: Mutex<Option<MultiplexedConnection>>,
    /// CLIENT ID of the blocking connection while it waits; 0 otherwise.
    waiter: AtomicI64,
}

#[derive(Clone)]
struct Dialled {
    connection: MultiplexedConnection,
    /// Tells this dial from a later one.
    id: u64,
}

impl std::fmt::Debug for Dialled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dialled({})", self.id)
    }
}

impl Redis {
    /// A server by its URL: `redis://[user:password@]host:port/db` or `unix:///path?db=n`. Dials at the first call.
    ///
    /// # Errors
    /// Where the URL cannot be read.
    pub fn new(url: &str) -> Result<Self, Error> {
        let info = url.into_connection_info()?;
        let settings = info.tcp_settings().clone().set_nodelay(true);
        let client = Client::open(info.set_tcp_settings(settings))?;
        Ok(Redis(Arc::new(Inner {
            client,
            commands: Mutex::new(None),
            blocking: Mutex::new(None),
            waiter: AtomicI64::new(0),
        })))
    }

    async fn dial(&self, deadline: Option<Duration>) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(DEADLINE))
            .set_response_timeout(deadline);
        self.0.client.get_multiplexed_async_connection_with_config(&config).await
    }

    async fn commands(&self) -> Result<Dialled, Error> {
        let mut slot = self.0.commands.lock().await;
        if let Some(dialled) = &*slot {
            return Ok(dialled.clone());
        }
        let dialled = self.dial(Some(DEADLINE)).await;
        let connection = dialled.map_err(|source| Error { source, never_sent: true })?;
        Ok(slot.insert(Dialled { connection, id: fastrand::u64(..) }).clone())
    }

    async fn checked<T>(&self, id: u64, result: Result<T, RedisError>) -> Result<T, Error> {
        if let Err(error) = &result
            && asks_for_a_new_dial(error)
        {
            let mut slot = self.0.commands.lock().await;
            if slot.as_ref().is_some_and(|dialled| dialled.id == id) {
                *slot = None;
            }
        }
        Ok(result?)
    }

    /// Sends one command.
    ///
    /// # Errors
    /// Where Redis cannot be reached, does not answer in time, or answers with an error.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Error> {
        let Dialled { mut connection, id } = self.commands().await?;
        let result = command.query_async(&mut connection).await;
        self.checked(id, result).await
    }

    /// Runs a script; loads it where the server does not know it yet.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn script<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[&str],
        arguments: &[&[u8]],
    ) -> Result<T, Error> {
        let Dialled { mut connection, id } = self.commands().await?;
        let mut call = script.prepare_invoke();
        for key in keys {
            call.key(*key);
        }
        for argument in arguments {
            call.arg(*argument);
        }
        let result = call.invoke_async(&mut connection).await;
        self.checked(id, result).await
    }

    /// Waits for an element of one of these lists and takes it; answers the list's key.
    ///
    /// # Errors
    /// As [`query`](Self::query); an element may have been taken then.
    pub async fn blpop(&self, keys: &[String], seconds: f64) -> Result<Option<String>, Error> {
        let mut slot = self.0.blocking.lock().await;
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => {
                let mut connection = self.dial(None).await?;
                let id = tokio::time::timeout(DEADLINE, cmd("CLIENT").arg("ID").query_async(&mut connection))
                    .await;
                self.0.waiter.store(id.map_err(|_| timed_out())??, Ordering::SeqCst);
                connection
            }
        };
        let command = cmd("BLPOP").arg(keys).arg(seconds).to_owned();
        let answer = tokio::time::timeout(Duration::from_secs_f64(seconds) + MARGIN, async {
            command.query_async::<Value>(&mut connection).await
        });
        let answer = answer.await.map_err(|_| timed_out())??;
        *slot = Some(connection);
        let taken: Option<(String, Value)> = from_redis_value(answer).map_err(RedisError::from)?;
        Ok(taken.map(|(key, _)| key))
    }

    /// Ends a [`blpop`](Self::blpop) that is under way, as if its time were over.
    pub async fn unblock(&self) {
        let id = self.0.waiter.load(Ordering::SeqCst);
        if id != 0 {
            // Where it is refused the wait ends by itself, within its seconds.
            let _ = self.query::<Value>(cmd("CLIENT").arg("UNBLOCK").arg(id)).await;
        }
    }
}

fn timed_out() -> RedisError {
    RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut))
}

/// True for what another connection may cure: a broken link, or a server that is not the one to ask.
fn asks_for_a_new_dial(error: &RedisError) -> bool {
    error.is_timeout()
        || error.is_io_error()
        || error.is_connection_dropped()
        || matches!(error.kind(), ErrorKind::Io | ErrorKind::Parse | ErrorKind::AuthenticationFailed)
        || matches!(error.code(), Some("READONLY" | "NOAUTH" | "LOADING" | "MASTERDOWN"))
}
