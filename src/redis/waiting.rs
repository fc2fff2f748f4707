//! Blocking waits for work, each on a connection of its own.
//!
//! Two kinds: taking an element of a list, and seeing that a list has one without taking it. Never waits on the shared
//! connection, for it would stand still meanwhile. Counterpart in PHP: the BLPOP of `Illuminate\Queue\RedisQueue`, the
//! BRPOP of Hyperf's `RedisDriver`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, RedisError, Value, cmd, from_redis_value};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::link::{Call, DEADLINE, Link};
use super::{Error, Redis, cluster, within};

/// The name that a blocking wait's connection has in CLIENT LIST, where Redis lets it have one.
pub const WAITER: &str = "handover";
/// What a blocking wait may take beyond the time it was asked to wait.
const MARGIN: Duration = Duration::from_secs(2);

/// The connections of waits, each by what it waits for.
pub(super) type Waiters = Mutex<HashMap<Spot, Arc<Waiter>>>;

/// What one connection waits for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Spot {
    /// An element of some lists in this slot.
    Slot(usize),
    /// This list's having an element.
    List(String),
}

#[derive(Default)]
pub(super) struct Waiter {
    connection: Mutex<Option<MultiplexedConnection>>,
    /// The server of that connection and its CLIENT ID there: what it takes to end its wait.
    known_as: std::sync::Mutex<Option<(Arc<Link>, i64)>>,
}

/// What a wait takes off its list.
#[derive(Clone, Copy, PartialEq)]
enum Takes {
    Elements,
    Nothing,
}

/// One wait, on one connection.
struct Wait {
    spot: Spot,
    /// One of its keys: they share a server.
    key: String,
    command: Cmd,
    time: Duration,
}

impl Redis {
    /// Waits for an element of one of these lists and takes it; answers the lists' keys. On a cluster each slot is waited
    /// at by itself, so that several may answer.
    ///
    /// # Errors
    /// As [`query`](Self::query); an element may have been taken then.
    pub async fn blpop(&self, keys: &[String], seconds: f64) -> Result<Vec<String>, Error> {
        let mut slots: HashMap<usize, Vec<&String>> = HashMap::new();
        for key in keys {
            let slot = if self.is_cluster() { cluster::slot(key) } else { 0 };
            slots.entry(slot).or_default().push(key);
        }
        let waits = slots.into_iter().map(|(slot, keys)| {
            let command = cmd("BLPOP").arg(&keys).arg(seconds).to_owned();
            Wait {
                spot: Spot::Slot(slot),
                key: keys[0].clone(),
                command,
                time: Duration::from_secs_f64(seconds),
            }
        });
        let answers = self.first_of(waits.collect(), Takes::Elements).await?;
        let taken = answers.into_iter().map(|(_, answer)| {
            let (key, _): (String, Value) = from_redis_value(answer).map_err(RedisError::from)?;
            Ok(key)
        });
        taken.collect()
    }

    /// Waits until one of these lists has an element, and leaves it there; answers those that have one. Each list is
    /// waited at by itself. An element that is moved from its place to the same place has never been away, for nobody
    /// can look in between.
    ///
    /// # Errors
    /// As [`query`](Self::query). Redis before 6.2 knows no such command.
    pub async fn see(&self, lists: &[String], seconds: f64) -> Result<Vec<String>, Error> {
        let waits = lists.iter().map(|list| {
            let command = cmd("BLMOVE").arg(list).arg(list).arg("LEFT").arg("LEFT").arg(seconds).to_owned();
            let time = Duration::from_secs_f64(seconds);
            Wait { spot: Spot::List(list.clone()), key: list.clone(), command, time }
        });
        let seen = self.first_of(waits.collect(), Takes::Nothing).await?;
        Ok(seen.into_iter().map(|(key, _)| key).collect())
    }

    /// Waits until one of these is answered, and ends the others; answers the keys, with what was said.
    async fn first_of(&self, waits: Vec<Wait>, takes: Takes) -> Result<Vec<(String, Value)>, Error> {
        let mut under_way = JoinSet::new();
        for wait in waits {
            let redis = self.clone();
            under_way.spawn(async move { redis.wait(wait).await });
        }
        let (mut answers, mut failed) = (Vec::new(), None);
        while !under_way.is_empty() {
            let over = !answers.is_empty() || failed.is_some();
            tokio::select! {
                Some(answer) = under_way.join_next() => match answer.expect("a wait does not panic") {
                    Ok(answer) => answers.extend(answer),
                    Err(error) => failed = Some(error),
                },
                // Again and again: a wait may reach Redis only after it was to be ended.
                ended = self.unblock_soon(), if over => {
                    // Redis may not be told to end them; where they take nothing their connections may end instead.
                    if !ended && takes == Takes::Nothing {
                        break;
                    }
                }
            }
        }
        match failed {
            Some(error) if answers.is_empty() => Err(error),
            _ => Ok(answers),
        }
    }

    async fn unblock_soon(&self) -> bool {
        let ended = self.unblock().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        ended
    }

    /// One connection's wait; no answer where its time was over.
    async fn wait(&self, wait: Wait) -> Result<Option<(String, Value)>, Error> {
        let Wait { spot, key, command, time } = wait;
        let waiter = self.waiters.lock().await.entry(spot).or_default().clone();
        let mut kept = waiter.connection.lock().await;
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => {
                let link = self.link(&key).await?;
                let mut connection = link.dial_to_wait().await?;
                let mut named = cmd("CLIENT");
                named.arg("SETNAME").arg(WAITER);
                let _ = within(DEADLINE, named.query_async::<Value>(&mut connection)).await;
                let id = within(DEADLINE, cmd("CLIENT").arg("ID").query_async(&mut connection)).await?;
                waiter.is_known_as(Some((link, id)));
                connection
            }
        };
        match within(time + MARGIN, command.query_async::<Value>(&mut connection)).await {
            Ok(answer) => {
                *kept = Some(connection);
                Ok((answer != Value::Nil).then_some((key, answer)))
            }
            Err(error) => {
                waiter.is_known_as(None);
                if error.redirection().is_none() {
                    return Err(error);
                }
                // The slot has moved: a call about it learns where to.
                let _: Value = self.query(&key, cmd("EXISTS").arg(&key)).await?;
                Ok(None)
            }
        }
    }

    /// Ends every wait that is under way, as if its time were over; false where Redis refuses to, and they end by
    /// themselves, within their seconds.
    pub async fn unblock(&self) -> bool {
        let mut ended = true;
        let waiters: Vec<Arc<Waiter>> = self.waiters.lock().await.values().cloned().collect();
        for waiter in waiters {
            if let Some((link, id)) = waiter.known_as() {
                let command = cmd("CLIENT").arg("UNBLOCK").arg(id).to_owned();
                ended &= link.call(&Call::Command(&command), false).await.is_ok();
            }
        }
        ended
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
