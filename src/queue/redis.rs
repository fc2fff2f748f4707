//! A queue in Redis: runs a dialect's scripts.
//!
//! The one place that sends them and reads their answers. Never decides when.
//! Counterpart in PHP: `Illuminate\Queue\RedisQueue`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use redis::{FromRedisValue, Script, Value, cmd};

use super::reservation::Taking;
use super::{
    AttemptsEdit, BATCH_BYTES, BATCH_JOBS, BoxFuture, Error, Exchange, Exchanged, Peeked, Queue, Reservation,
    Settling, Sizes, State, Token,
};
use crate::dialect::{Dialect, Keys, Oldest, Rules};
use crate::job::{Payload, PayloadError, Settlement};
use crate::redis::{PATIENCE, Redis};

/// How a Redis queue behaves beside what its dialect says.
#[derive(Clone, Debug)]
pub struct RedisQueueOptions {
    /// The connection's `migration_batch_size`: due jobs that one call moves at most, per source.
    pub migration_batch_size: Option<usize>,
    /// False under Horizon's `retry_after: null`: reservations never expire.
    pub expire_reservations: bool,
    /// Larger payloads are set aside, in bytes.
    pub max_payload: usize,
    /// Payloads that the quarantine holds at most.
    pub quarantine_room: usize,
}

impl Default for RedisQueueOptions {
    fn default() -> Self {
        RedisQueueOptions {
            migration_batch_size: None,
            expire_reservations: true,
            max_payload: 128 << 20,
            quarantine_room: 10_000,
        }
    }
}

/// The queues of one Redis connection of an app.
#[derive(Clone, Debug)]
pub struct RedisQueue {
    redis: Redis,
    dialect: Dialect,
    options: RedisQueueOptions,
    scripts: Arc<Scripts>,
    /// By queue: how many seconds Redis' clock is ahead of this host's.
    ahead: Arc<Mutex<HashMap<String, i64>>>,
}

#[derive(Debug)]
struct Scripts {
    exchange: Script,
    renew: Script,
    recover: Script,
    push: Script,
    clear: Script,
    reload: Script,
}

/// One job as the exchange and the recover script answer it: bytes, offset, length, attempts.
type Taken = (Bytes, usize, usize, i64);
/// The exchange script's answer: settled, taken, set aside, next due, left, without a place, Redis' time, too late.
type Answered = (Vec<u8>, Vec<Taken>, Vec<(usize, String)>, Option<f64>, u64, u64, i64, bool);

impl RedisQueue {
    /// The queues of this server, as this dialect keeps them.
    pub fn new(redis: Redis, dialect: impl Into<Dialect>, options: RedisQueueOptions) -> Self {
        let dialect = dialect.into();
        let texts = dialect.scripts();
        let scripts = Scripts {
            exchange: Script::new(texts.exchange),
            renew: Script::new(texts.renew),
            recover: Script::new(texts.recover),
            push: Script::new(texts.push),
            clear: Script::new(texts.clear),
            reload: Script::new(texts.reload),
        };
        let redis = redis.waiting_apart();
        RedisQueue { redis, dialect, options, scripts: Arc::new(scripts), ahead: Arc::default() }
    }

    /// Deletes a key of a queue with all that it holds; false where there was none.
    ///
    /// # Errors
    /// Where Redis cannot be reached, or refuses.
    pub async fn discard(&self, queue: &str, key: &str) -> Result<bool, Error> {
        self.ask("deleting", queue, key, cmd("DEL").arg(key)).await
    }

    /// Moves the oldest payload of one list of a queue to the other end of a list, its own or another; false where it is not
    /// this one any more. For frameworks whose lists are taken from at the tail.
    ///
    /// # Errors
    /// As [`discard`](Self::discard).
    pub async fn move_oldest(
        &self,
        queue: &str,
        from: &str,
        payload: &[u8],
        to: &str,
    ) -> Result<bool, Error> {
        let moved: u64 =
            self.run("reloading", queue, &self.scripts.reload, &[from, to], &[b"1", payload]).await?;
        Ok(moved == 1)
    }

    async fn run<T: FromRedisValue>(
        &self,
        doing: &'static str,
        queue: &str,
        script: &Script,
        keys: &[&str],
        arguments: &[&[u8]],
    ) -> Result<T, Error> {
        let answer = self.redis.script::<Value>(script, keys, arguments).await;
        let answer = answer.map_err(|source| Error::Redis { doing, queue: queue.to_owned(), source })?;
        read(doing, queue, answer)
    }

    async fn ask<T: FromRedisValue>(
        &self,
        doing: &'static str,
        queue: &str,
        key: &str,
        command: &redis::Cmd,
    ) -> Result<T, Error> {
        let answer = self.redis.query::<Value>(key, command).await;
        let answer = answer.map_err(|source| Error::Redis { doing, queue: queue.to_owned(), source })?;
        read(doing, queue, answer)
    }

    /// The second on Redis' clock until which a call sent now may reserve; before the first answer no call may.
    fn not_after(&self, queue: &str) -> i64 {
        let ahead = self.ahead.lock().expect("nothing panics while it is held");
        // One second more, for both clocks are cut to whole seconds.
        ahead.get(queue).map_or(0, |ahead| unix() + ahead + PATIENCE.as_secs() as i64 + 1)
    }

    async fn exchange(&self, queue: &str, ask: Exchange<'_>) -> Result<Exchanged, Error> {
        let keys = self.dialect.keys(queue);
        let Keys { ready, reserved, delayed, quarantine, .. } = &keys;
        let keys: Vec<&str> =
            [&**ready, reserved, delayed, quarantine].into_iter().chain(keys.own()).collect();
        let bound = self.options.migration_batch_size.map_or(BATCH_JOBS, |size| size.min(BATCH_JOBS));
        let settle: Vec<[Vec<u8>; 5]> = ask.settle.iter().map(spelled).collect();
        let mut woken = ask.woken;
        loop {
            let numbers = [
                ask.now.to_string(),
                (ask.now + ask.lease).to_string(),
                ask.token.number().to_string(),
                ask.want.to_string(),
                BATCH_BYTES.to_string(),
                bound.to_string(),
                u8::from(self.options.expire_reservations).to_string(),
                woken.to_string(),
                self.options.max_payload.to_string(),
                self.options.quarantine_room.to_string(),
                self.not_after(queue).to_string(),
            ];
            let arguments: Vec<&[u8]> = numbers
                .iter()
                .map(String::as_bytes)
                .chain(settle.iter().flatten().map(Vec::as_slice))
                .collect();
            let answer: Answered =
                self.run("settling and reserving", queue, &self.scripts.exchange, &keys, &arguments).await?;
            let (done, taken, quarantined, next_due, left, unplaced, time, late) = answer;
            if time > 0 {
                let mut ahead = self.ahead.lock().expect("nothing panics while it is held");
                ahead.insert(queue.to_owned(), time - unix());
            }
            if late && settle.is_empty() {
                // It was answered, so it is the clocks that have moved, or nothing was known of them: again. Wake-up
                // tokens went back.
                woken = 0;
                continue;
            }
            let taking = self.taking(queue, ask.token);
            let reserved = taken
                .into_iter()
                .map(|(popped, at, len, attempts)| taking.popped(popped, AttemptsEdit { at, len, attempts }));
            return Ok(Exchanged {
                settled: done.into_iter().map(|done| done == 1).collect(),
                reserved: reserved.collect(),
                quarantined,
                unplaced,
                // A fraction of a second is the token, and due only with the next whole second.
                next_due: next_due.map(|due| due.ceil() as i64),
                left,
                redis_time: (time > 0).then_some(time),
                late,
            });
        }
    }

    fn taking(&self, queue: &str, token: Token) -> Taking {
        Taking { queue: queue.into(), counting: self.dialect.counting(), token }
    }

    async fn renew(&self, queue: &str, held: &[&Reservation], expires_at: i64) -> Result<Vec<bool>, Error> {
        let Keys { reserved, .. } = self.dialect.keys(queue);
        let mut answers = Vec::with_capacity(held.len());
        let mut rest = held;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = rest.iter().take(BATCH_JOBS).take_while(|reservation| {
                let first = bytes == 0;
                bytes += reservation.popped().len();
                first || bytes <= BATCH_BYTES
            });
            let (batch, others) = rest.split_at(fits.count());
            rest = others;
            let mut arguments = vec![expires_at.to_string().into_bytes()];
            for reservation in batch {
                arguments.push(reservation.reserved());
                arguments.push(reservation.token().number().to_string().into_bytes());
            }
            let arguments: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
            let held: Vec<u8> =
                self.run("renewing", queue, &self.scripts.renew, &[&reserved], &arguments).await?;
            answers.extend(held.into_iter().map(|held| held == 1));
        }
        Ok(answers)
    }

    async fn recover(&self, queue: &str, token: Token, expires_at: i64) -> Result<Vec<Reservation>, Error> {
        let Keys { reserved, .. } = self.dialect.keys(queue);
        // The shortest text of a number is read back as the same number.
        let score = token.score(expires_at).to_string();
        let arguments = [score.as_bytes()];
        let taken: Vec<Taken> =
            self.run("recovering", queue, &self.scripts.recover, &[&reserved], &arguments).await?;
        let taking = self.taking(queue, token);
        let recovered = taken.into_iter().map(|(reserved, at, len, attempts)| {
            taking.reserved(reserved, AttemptsEdit { at, len, attempts })
        });
        Ok(recovered.collect())
    }

    async fn size(&self, queue: &str) -> Result<Sizes, Error> {
        let Keys { ready, reserved, delayed, quarantine, timeout, failed, .. } = self.dialect.keys(queue);
        let counting = "counting";
        let length = async |list: Option<String>| match list {
            Some(list) => self.ask(counting, queue, &ready, cmd("LLEN").arg(list)).await.map(Some),
            None => Ok(None),
        };
        Ok(Sizes {
            timeout: length(timeout).await?,
            failed: length(failed).await?,
            pending: self.ask(counting, queue, &ready, cmd("LLEN").arg(&ready)).await?,
            delayed: self.ask(counting, queue, &ready, cmd("ZCARD").arg(delayed)).await?,
            reserved: self.ask(counting, queue, &ready, cmd("ZCARD").arg(reserved)).await?,
            quarantined: self.ask(counting, queue, &ready, cmd("LLEN").arg(quarantine)).await?,
        })
    }

    async fn peek(
        &self,
        queue: &str,
        state: State,
        offset: usize,
        limit: usize,
    ) -> Result<Vec<Peeked>, Error> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let keys = self.dialect.keys(queue);
        let ready = keys.ready.clone();
        let (first, last) = (offset as i64, (offset + limit) as i64 - 1);
        let oldest = self.dialect.oldest();
        let (list, oldest) = match state {
            State::Delayed | State::Reserved => {
                let set = if state == State::Delayed { &keys.delayed } else { &keys.reserved };
                let mut command = cmd("ZRANGE");
                command.arg(set).arg(first).arg(last).arg("WITHSCORES");
                let payloads: Vec<(Bytes, f64)> = self.ask("looking", queue, &ready, &command).await?;
                return Ok(payloads
                    .into_iter()
                    .map(|(payload, at)| Peeked { payload, at: Some(at) })
                    .collect());
            }
            State::Pending => (Some(keys.ready), oldest),
            State::Timeout => (keys.timeout, oldest),
            State::Failed => (keys.failed, oldest),
            State::Quarantined => (Some(keys.quarantine), Oldest::First),
        };
        let Some(list) = list else { return Ok(Vec::new()) };
        let (from, to) = match oldest {
            Oldest::First => (first, last),
            Oldest::Last => (-last - 1, -first - 1),
        };
        let mut command = cmd("LRANGE");
        command.arg(list).arg(from).arg(to);
        let mut payloads: Vec<Bytes> = self.ask("looking", queue, &ready, &command).await?;
        if oldest == Oldest::Last {
            payloads.reverse();
        }
        Ok(payloads.into_iter().map(|payload| Peeked { payload, at: None }).collect())
    }
}

/// Seconds on this host's clock.
fn unix() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64)
}

/// One settlement as the script reads it.
fn spelled(settling: &Settling) -> [Vec<u8>; 5] {
    let Settling { reservation, settlement } = settling;
    let (verb, due, bytes) = match settlement {
        Settlement::Delete => ("delete", None, Vec::new()),
        Settlement::Fail(_) => ("fail", None, Vec::new()),
        Settlement::Release { at } => ("release", Some(at), reservation.released()),
        Settlement::HandBackLater { at } => ("release", Some(at), reservation.popped().to_vec()),
        Settlement::HandBack => ("back", None, reservation.popped().to_vec()),
        Settlement::Quarantine => ("quarantine", None, reservation.popped().to_vec()),
    };
    // Not sent twice.
    let reserved = reservation.reserved();
    let bytes = if bytes == reserved { Vec::new() } else { bytes };
    let token = reservation.token().number().to_string().into_bytes();
    [verb.into(), reserved, token, due.map(i64::to_string).unwrap_or_default().into_bytes(), bytes]
}

fn read<T: FromRedisValue>(doing: &'static str, queue: &str, answer: Value) -> Result<T, Error> {
    T::from_redis_value(answer).map_err(|error| {
        let answer = error.to_string().chars().take(200).collect();
        Error::Answer { doing, queue: queue.to_owned(), answer }
    })
}

impl Queue for RedisQueue {
    fn exchange<'a>(&'a self, queue: &'a str, ask: Exchange<'a>) -> BoxFuture<'a, Result<Exchanged, Error>> {
        Box::pin(self.exchange(queue, ask))
    }

    fn recover<'a>(
        &'a self,
        queue: &'a str,
        token: Token,
        expires_at: i64,
    ) -> BoxFuture<'a, Result<Vec<Reservation>, Error>> {
        Box::pin(self.recover(queue, token, expires_at))
    }

    fn renew<'a>(
        &'a self,
        queue: &'a str,
        held: &'a [&'a Reservation],
        expires_at: i64,
    ) -> BoxFuture<'a, Result<Vec<bool>, Error>> {
        Box::pin(self.renew(queue, held, expires_at))
    }

    fn wait<'a>(&'a self, queues: &'a [String], seconds: f64) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        Box::pin(async move {
            let keys = queues.iter().map(|queue| self.dialect.keys(queue));
            let waited = match self.dialect.rules().has_wake_ups {
                true => {
                    let keys: Vec<String> = keys.filter_map(|keys| keys.notify).collect();
                    self.redis.blpop(&keys, seconds).await.map(|taken| (keys, taken))
                }
                false => {
                    let keys: Vec<String> = keys.map(|keys| keys.ready).collect();
                    match self.redis.see(&keys, seconds).await {
                        // Before 6.2: the polls are what is left.
                        Err(error) if error.is_unknown_command() => {
                            tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
                            return Ok(Vec::new());
                        }
                        seen => seen.map(|seen| (keys, seen)),
                    }
                }
            };
            let (keys, heard) = waited.map_err(|source| Error::Redis {
                doing: "waiting",
                queue: queues.join(","),
                source,
            })?;
            let woken = heard.iter().filter_map(|key| keys.iter().position(|known| known == key));
            Ok(woken.map(|index| queues[index].clone()).collect())
        })
    }

    fn fall_together(&self, queue: &str, other: &str) -> bool {
        self.redis.fall_together(&self.dialect.keys(queue).ready, &self.dialect.keys(other).ready)
    }

    fn rules(&self) -> Rules {
        self.dialect.rules()
    }

    fn read(&self, payload: Bytes) -> Result<Payload, PayloadError> {
        self.dialect.read(payload)
    }

    fn wake(&self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.redis.unblock().await;
        })
    }

    fn push<'a>(&'a self, queue: &'a str, payload: &'a [u8]) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { self.push_all(queue, &[payload.to_vec()]).await })
    }

    fn later<'a>(
        &'a self,
        queue: &'a str,
        payload: &'a [u8],
        available_at: i64,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { self.later_all(queue, &[(available_at, payload.to_vec())]).await })
    }

    fn push_all<'a>(&'a self, queue: &'a str, payloads: &'a [Vec<u8>]) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            if payloads.is_empty() {
                return Ok(());
            }
            let Keys { ready, notify, .. } = self.dialect.keys(queue);
            let payloads: Vec<&[u8]> = payloads.iter().map(Vec::as_slice).collect();
            let keys: Vec<&str> = [&*ready].into_iter().chain(notify.as_deref()).collect();
            let _: u64 = self.run("pushing", queue, &self.scripts.push, &keys, &payloads).await?;
            Ok(())
        })
    }

    fn later_all<'a>(
        &'a self,
        queue: &'a str,
        payloads: &'a [(i64, Vec<u8>)],
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            if payloads.is_empty() {
                return Ok(());
            }
            let Keys { delayed, .. } = self.dialect.keys(queue);
            let mut command = cmd("ZADD");
            command.arg(&delayed);
            for (available_at, payload) in payloads {
                command.arg(available_at).arg(payload.as_slice());
            }
            let _: u64 = self.ask("pushing for later", queue, &delayed, &command).await?;
            Ok(())
        })
    }

    fn size<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<Sizes, Error>> {
        Box::pin(self.size(queue))
    }

    fn clear<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move {
            let keys = self.dialect.keys(queue);
            let Keys { ready, reserved, delayed, notify, .. } = &keys;
            let keys: Vec<&str> =
                [&**ready, reserved, delayed].into_iter().chain(notify.as_deref()).collect();
            self.run("clearing", queue, &self.scripts.clear, &keys, &[]).await
        })
    }

    fn reload<'a>(&'a self, queue: &'a str, from: State) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move {
            let Keys { ready, timeout, failed, .. } = self.dialect.keys(queue);
            let list = match from {
                State::Timeout => timeout,
                State::Failed => failed,
                _ => None,
            };
            let Some(list) = list else { return Ok(0) };
            let (keys, most, mut all) = ([&*list, &ready], BATCH_JOBS.to_string(), 0);
            loop {
                let moved: u64 =
                    self.run("reloading", queue, &self.scripts.reload, &keys, &[most.as_bytes()]).await?;
                all += moved;
                if moved < BATCH_JOBS as u64 {
                    return Ok(all);
                }
            }
        })
    }

    fn peek<'a>(
        &'a self,
        queue: &'a str,
        state: State,
        offset: usize,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Peeked>, Error>> {
        Box::pin(self.peek(queue, state, offset, limit))
    }
}
