//! The way to Redis: one shared connection a server for commands, and connections of their own for blocking waits.
//!
//! Hides whether it is one server, the master that sentinels name, or a cluster. Never sends a command twice that may
//! have taken effect. Counterpart in PHP: `Illuminate\Redis\Connections\PhpRedisConnection`.

mod address;
mod cluster;
mod error;
mod link;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisError, Script, Value, cmd, from_redis_value};
use tokio::sync::Mutex;

use address::Address;
use cluster::Cluster;
pub use error::Error;
use error::timed_out;
use link::{Call, DEADLINE, Link, Place};

/// How long after it was sent a call may still reach Redis and be answered, as far as its caller is concerned.
pub const PATIENCE: Duration = DEADLINE;
/// The name that a blocking wait's connection has in CLIENT LIST, where Redis lets it have one.
pub const WAITER: &str = "handover";
/// What a blocking wait may take beyond the time it was asked to wait.
const MARGIN: Duration = Duration::from_secs(2);

/// A Redis: a server, or a cluster of them. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    way: Way,
    /// A wait's connection, by the slot of its keys.
    waiters: Mutex<HashMap<usize, Arc<Waiter>>>,
}

#[derive(Debug)]
enum Way {
    Server(Arc<Link>),
    Cluster(Cluster),
}

#[derive(Default)]
struct Waiter {
    connection: Mutex<Option<MultiplexedConnection>>,
    /// The server of that connection and its CLIENT ID there: what it takes to end its wait.
    known_as: std::sync::Mutex<Option<(Arc<Link>, i64)>>,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Redis").field(&self.0.way).finish()
    }
}

impl Redis {
    /// A Redis by its URL. Dials at the first call.
    ///
    /// - `redis://[user:password@]host:port/db`, and `rediss://` for TLS;
    /// - `redis+unix:///path?db=n&user=u&pass=p`;
    /// - `redis+sentinel://[user:password@]host:26379,host:26379/service/db`, with `sentinel_username` and
    ///   `sentinel_password` in its query where the sentinels ask for them;
    /// - `redis+cluster://[user:password@]host:port,host:port`; both also with `rediss`.
    ///
    /// With TLS the query may name, in the words of PHP's stream contexts, `cafile`, `local_cert`, `local_pk` (PEM files)
    /// and `verify_peer=0`.
    ///
    /// # Errors
    /// Where the URL, or a file that it names, cannot be read.
    pub fn new(url: &str) -> Result<Self, Error> {
        let way = match Address::parse(url)? {
            Address::Server(node) => Way::Server(Arc::new(Link::new(Place::Here(node)))),
            Address::Sentinel { sentinels, service, master } => {
                Way::Server(Arc::new(Link::new(Place::Named { sentinels, service, master })))
            }
            Address::Cluster(seeds) => Way::Cluster(Cluster::new(seeds)),
        };
        Ok(Redis(Arc::new(Inner { way, waiters: Mutex::default() })))
    }

    /// True for a cluster, where the keys of a call have to share a slot.
    pub fn is_cluster(&self) -> bool {
        matches!(self.0.way, Way::Cluster(_))
    }

    /// True where these keys are on one server, as far as is known.
    pub fn fall_together(&self, key: &str, other: &str) -> bool {
        match &self.0.way {
            Way::Server(_) => true,
            Way::Cluster(cluster) => cluster.share_a_node(key, other),
        }
    }

    async fn link(&self, key: &str) -> Result<Arc<Link>, Error> {
        match &self.0.way {
            Way::Server(link) => Ok(link.clone()),
            Way::Cluster(cluster) => cluster.link(key).await,
        }
    }

    async fn call<T: FromRedisValue>(&self, key: &str, call: Call<'_>) -> Result<T, Error> {
        let answer = match &self.0.way {
            Way::Server(link) => link.call(&call, false).await,
            Way::Cluster(cluster) => cluster.call(key, &call).await,
        };
        Ok(from_redis_value(answer?).map_err(RedisError::from)?)
    }

    /// Sends one command about this key.
    ///
    /// # Errors
    /// Where Redis cannot be reached, does not answer in time, or answers with an error.
    pub async fn query<T: FromRedisValue>(&self, key: &str, command: &Cmd) -> Result<T, Error> {
        self.call(key, Call::Command(command)).await
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
        let mut command = cmd("EVALSHA");
        command.arg(script.get_hash()).arg(keys.len()).arg(keys).arg(arguments);
        self.call(keys[0], Call::Script(script, &command)).await
    }

    /// Seconds on the clock of the server that has this key.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    pub async fn time(&self, key: &str) -> Result<i64, Error> {
        let (seconds, _): (i64, i64) = self.query(key, &cmd("TIME")).await?;
        Ok(seconds)
    }

    /// Waits for an element of one of these lists and takes it; answers the lists' keys. On a cluster each slot is waited
    /// at by itself, so that several may answer.
    ///
    /// # Errors
    /// As [`query`](Self::query); an element may have been taken then.
    pub async fn blpop(&self, keys: &[String], seconds: f64) -> Result<Vec<String>, Error> {
        let mut groups: HashMap<usize, Vec<String>> = HashMap::new();
        for key in keys {
            let slot = if self.is_cluster() { cluster::slot(key) } else { 0 };
            groups.entry(slot).or_default().push(key.clone());
        }
        if groups.len() < 2 {
            let Some((slot, keys)) = groups.into_iter().next() else { return Ok(Vec::new()) };
            return Ok(self.wait(slot, &keys, seconds).await?.into_iter().collect());
        }
        let mut waits = tokio::task::JoinSet::new();
        for (slot, keys) in groups {
            let redis = self.clone();
            waits.spawn(async move { redis.wait(slot, &keys, seconds).await });
        }
        let (mut taken, mut failed) = (Vec::new(), None);
        while !waits.is_empty() {
            let over = !taken.is_empty() || failed.is_some();
            tokio::select! {
                Some(answer) = waits.join_next() => match answer.expect("a wait does not panic") {
                    Ok(key) => taken.extend(key),
                    Err(error) => failed = Some(error),
                },
                // Again and again: a wait may reach Redis only after it was to be ended.
                () = self.unblock_soon(), if over => {}
            }
        }
        match failed {
            Some(error) if taken.is_empty() => Err(error),
            _ => Ok(taken),
        }
    }

    async fn unblock_soon(&self) {
        self.unblock().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    /// One connection's wait; the keys share a slot.
    async fn wait(&self, slot: usize, keys: &[String], seconds: f64) -> Result<Option<String>, Error> {
        let waiter = self.0.waiters.lock().await.entry(slot).or_default().clone();
        let mut kept = waiter.connection.lock().await;
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => {
                let link = self.link(&keys[0]).await?;
                let mut connection = link.dial_to_wait().await?;
                let mut named = cmd("CLIENT");
                named.arg("SETNAME").arg(WAITER);
                let _ = within(DEADLINE, named.query_async::<Value>(&mut connection)).await;
                let id = within(DEADLINE, cmd("CLIENT").arg("ID").query_async(&mut connection)).await?;
                waiter.is_known_as(Some((link, id)));
                connection
            }
        };
        let command = cmd("BLPOP").arg(keys).arg(seconds).to_owned();
        let time = Duration::from_secs_f64(seconds) + MARGIN;
        match within(time, command.query_async::<Value>(&mut connection)).await {
            Ok(answer) => {
                *kept = Some(connection);
                let taken: Option<(String, Value)> = from_redis_value(answer).map_err(RedisError::from)?;
                Ok(taken.map(|(key, _)| key))
            }
            Err(error) => {
                waiter.is_known_as(None);
                if error.redirection().is_none() {
                    return Err(error);
                }
                // The slot has moved: a call about it learns where to.
                let _: Value = self.query(&keys[0], cmd("EXISTS").arg(&keys[0])).await?;
                Ok(None)
            }
        }
    }

    /// Ends every [`blpop`](Self::blpop) that is under way, as if its time were over.
    pub async fn unblock(&self) {
        let waiters: Vec<Arc<Waiter>> = self.0.waiters.lock().await.values().cloned().collect();
        for waiter in waiters {
            if let Some((link, id)) = waiter.known_as() {
                let command = cmd("CLIENT").arg("UNBLOCK").arg(id).to_owned();
                // Where it is refused the wait ends by itself, within its seconds.
                let _ = link.call(&Call::Command(&command), false).await;
            }
        }
    }
}

impl Waiter {
    fn known_as(&self) -> Option<(Arc<Link>, i64)> {
        self.known_as.lock().expect("nothing panics while it is held").clone()
    }

    fn is_known_as(&self, name: Option<(Arc<Link>, i64)>) {
        *self.known_as.lock().expect("nothing panics while it is held") = name;
    }
}

async fn within<T>(time: Duration, call: impl Future<Output = Result<T, RedisError>>) -> Result<T, Error> {
    Ok(tokio::time::timeout(time, call).await.map_err(|_| timed_out())??)
}
