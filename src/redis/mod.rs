//! The way to Redis: one shared connection a server for commands, and connections of their own for blocking waits.
//!
//! Hides whether it is one server, the master that sentinels name, or a cluster. Never sends a command twice that may
//! have taken effect. Counterpart in PHP: `Illuminate\Redis\Connections\PhpRedisConnection`.

mod address;
mod cluster;
mod error;
mod link;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use redis::{Cmd, FromRedisValue, RedisError, Script, cmd, from_redis_value};

use address::Address;
use cluster::Cluster;
pub use error::Error;
use error::timed_out;
use link::{Call, DEADLINE, Link, Place};
pub use waiting::WAITER;
use waiting::Waiters;

/// How long after it was sent a call may still reach Redis and be answered, as far as its caller is concerned.
pub const PATIENCE: Duration = DEADLINE;

/// A Redis: a server, or a cluster of them. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct Redis {
    way: Arc<Way>,
    waiters: Arc<Waiters>,
}

#[derive(Debug)]
enum Way {
    Server(Arc<Link>),
    Cluster(Cluster),
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Redis").field(&self.way).finish()
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
        Ok(Redis { way: Arc::new(way), waiters: Arc::default() })
    }

    /// The same Redis with waits of its own, which neither keep others waiting nor end with them.
    pub(crate) fn waiting_apart(&self) -> Self {
        Redis { way: self.way.clone(), waiters: Arc::default() }
    }

    /// True for a cluster, where the keys of a call have to share a slot.
    pub fn is_cluster(&self) -> bool {
        matches!(*self.way, Way::Cluster(_))
    }

    /// True where these keys are on one server, as far as is known.
    pub fn fall_together(&self, key: &str, other: &str) -> bool {
        match &*self.way {
            Way::Server(_) => true,
            Way::Cluster(cluster) => cluster.share_a_node(key, other),
        }
    }

    async fn link(&self, key: &str) -> Result<Arc<Link>, Error> {
        match &*self.way {
            Way::Server(link) => Ok(link.clone()),
            Way::Cluster(cluster) => cluster.link(key).await,
        }
    }

    async fn call<T: FromRedisValue>(&self, key: &str, call: Call<'_>) -> Result<T, Error> {
        let answer = match &*self.way {
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
}

async fn within<T>(time: Duration, call: impl Future<Output = Result<T, RedisError>>) -> Result<T, Error> {
    Ok(tokio::time::timeout(time, call).await.map_err(|_| timed_out())??)
}
