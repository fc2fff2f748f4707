//! A queue in memory, for tests of handlers: what Redis would do, without Redis.
//!
//! Keeps the same promises as the Redis queue and passes the same suite. Never leaves the process.
//! Counterpart in PHP: none (`Illuminate\Support\Testing\Fakes\QueueFake` runs nothing).

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;
use tokio::sync::Notify;

use super::reservation::Taking;
use super::{
    AttemptsEdit, BATCH_BYTES, BATCH_JOBS, BoxFuture, Error, Exchange, Exchanged, Peeked, Queue, Reservation,
    Settling, Sizes, State, Token,
};
use crate::dialect::{Counting, Dialect, Rules};
use crate::job::{Payload, PayloadError, Settlement};

/// Queues in memory. Cheap to clone; clones are the same queues.
#[derive(Clone, Debug, Default)]
pub struct MemoryQueue(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    dialect: Dialect,
    queues: Mutex<BTreeMap<String, Lists>>,
    changed: Notify,
    woken: Notify,
}

#[derive(Debug, Default)]
struct Lists {
    ready: VecDeque<Bytes>,
    /// By due second, then bytes, as a sorted set in Redis.
    delayed: Vec<(i64, Bytes)>,
    reserved: Vec<(i64, Token, Bytes)>,
    notify: usize,
    quarantine: Vec<Bytes>,
    /// What the wire has no list for stays empty.
    timeout: Vec<Bytes>,
    failed: Vec<Bytes>,
}

impl MemoryQueue {
    /// No jobs; those to come are Laravel's.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same for jobs of another framework.
    pub fn speaking(dialect: impl Into<Dialect>) -> Self {
        MemoryQueue(Arc::new(Inner { dialect: dialect.into(), ..Inner::default() }))
    }

    fn taking(&self, queue: &str, token: Token) -> Taking {
        Taking { queue: queue.into(), counting: self.0.dialect.counting(), token }
    }

    /// Appends a payload to the ready list.
    pub fn push_now(&self, queue: &str, payload: &str) {
        self.with(queue, |lists| {
            lists.ready.push_back(Bytes::copy_from_slice(payload.as_bytes()));
            lists.notify += 1;
        });
        self.0.changed.notify_waiters();
    }

    /// How many jobs the queue holds, by state.
    pub fn sizes(&self, queue: &str) -> Sizes {
        let keys = self.0.dialect.keys(queue);
        self.with(queue, |lists| Sizes {
            timeout: keys.timeout.is_some().then_some(lists.timeout.len() as u64),
            failed: keys.failed.is_some().then_some(lists.failed.len() as u64),
            pending: lists.ready.len() as u64,
            delayed: lists.delayed.len() as u64,
            reserved: lists.reserved.len() as u64,
            quarantined: lists.quarantine.len() as u64,
        })
    }

    fn with<T>(&self, queue: &str, act: impl FnOnce(&mut Lists) -> T) -> T {
        let mut queues = self.0.queues.lock().unwrap_or_else(PoisonError::into_inner);
        act(queues.entry(queue.to_owned()).or_default())
    }

    fn take_token(&self, queues: &[String]) -> Option<String> {
        let has_wake_ups = self.0.dialect.rules().has_wake_ups;
        let token = |queue: &&String| {
            self.with(queue, |lists| {
                if !has_wake_ups {
                    return !lists.ready.is_empty();
                }
                let some = lists.notify > 0;
                lists.notify -= usize::from(some);
                some
            })
        };
        queues.iter().find(token).cloned()
    }
}

impl Lists {
    fn settle(
        &mut self,
        reservation: &Reservation,
        settlement: &Settlement,
        keeps_failed: bool,
        back: &mut Vec<Bytes>,
    ) -> bool {
        let member = reservation.reserved();
        let held =
            |(_, token, bytes): &(i64, Token, Bytes)| *token == reservation.token() && **bytes == *member;
        let Some(index) = self.reserved.iter().position(held) else { return false };
        self.reserved.remove(index);
        match settlement {
            Settlement::Fail(_) if keeps_failed => self.failed.push(reservation.popped().clone()),
            Settlement::Delete | Settlement::Fail(_) => {}
            // Among others of the same bytes, if there are any: each is a job of its own.
            Settlement::Release { at } => {
                self.delayed.push((*at, reservation.released().into()));
                self.delayed.sort();
            }
            Settlement::HandBackLater { at } => {
                self.delayed.push((*at, reservation.popped().clone()));
                self.delayed.sort();
            }
            Settlement::HandBack => back.push(reservation.popped().clone()),
            Settlement::Quarantine => self.quarantine.push(reservation.popped().clone()),
        }
        true
    }

    fn put_off(&mut self, at: i64, payload: Bytes) {
        self.delayed.retain(|(_, known)| *known != payload);
        self.delayed.push((at, payload));
        self.delayed.sort();
    }

    /// Moves what is due to the ready list, the delayed jobs first.
    fn migrate(&mut self, now: i64, taking: &Taking, done: &mut Exchanged) {
        let due = self.delayed.iter().take_while(|(at, _)| *at <= now).count();
        let delayed = taken(&mut self.delayed, due, taking.counting).into_iter();
        let mut moved: Vec<Bytes> = delayed.map(|(_, payload)| payload).collect();
        self.reserved.sort_by(|a, b| (a.0, a.1.number(), &a.2).cmp(&(b.0, b.1.number(), &b.2)));
        // A token in the fraction makes an expiry due with the next whole second.
        let expired =
            self.reserved.iter().take_while(|(at, token, _)| at + i64::from(token.number() > 0) <= now);
        let expired = expired.count();
        let expired = taken(&mut self.reserved, expired, taking.counting).into_iter();
        let expired: Vec<Bytes> = expired.map(|(.., payload)| payload).collect();
        for payload in expired {
            match taking.counting {
                Counting::AtReserve => moved.push(payload),
                Counting::AtRelease => self.timeout.push(payload),
                Counting::AtReturn => match taking.locate(&payload, MOST) {
                    Ok(edit) => {
                        let edit = AttemptsEdit { attempts: edit.attempts + 1, ..edit };
                        moved.push(edit.apply(&payload).into());
                    }
                    Err(reason) => {
                        done.quarantined.push((payload.len(), reason));
                        self.quarantine.push(payload);
                    }
                },
            }
        }
        self.notify += moved.len();
        self.ready.extend(moved);
    }

    fn reserve(&mut self, taking: &Taking, ask: &Exchange<'_>, done: &mut Exchanged) {
        let mut bytes = 0;
        let mut pops = ask.want + BATCH_JOBS;
        while done.reserved.len() < ask.want && bytes < BATCH_BYTES && pops > 0 {
            let Some(popped) = self.ready.pop_front() else { break };
            pops -= 1;
            let raise = i64::from(taking.counting == Counting::AtReserve);
            let edit = match taking.locate(&popped, MOST) {
                Ok(edit) => AttemptsEdit { attempts: edit.attempts + raise, ..edit },
                Err(reason) => {
                    done.quarantined.push((popped.len(), reason));
                    self.quarantine.push(popped);
                    continue;
                }
            };
            let reservation = taking.popped(popped.clone(), edit);
            let member = Bytes::from(reservation.reserved());
            if self.reserved.iter().any(|(.., held)| *held == member) {
                reservation.close();
                self.ready.push_back(popped);
                continue;
            }
            bytes += popped.len();
            self.reserved.push((ask.now + ask.lease, ask.token, member));
            done.reserved.push(reservation);
        }
    }
}

/// Takes of so many that are due as many as one call moves, in the order in which they are to run: the one that is due first
/// goes first, and of messages the one that is due last.
fn taken<T>(sorted: &mut Vec<T>, due: usize, counting: Counting) -> Vec<T> {
    match counting {
        Counting::AtRelease => sorted.drain(due.saturating_sub(BATCH_JOBS)..due).rev().collect(),
        Counting::AtReserve | Counting::AtReturn => sorted.drain(..due.min(BATCH_JOBS)).collect(),
    }
}

/// The largest count of attempts that a job is taken with.
const MOST: f64 = 1e9;

impl Taking {
    /// Where the count of attempts stands and what it is, by the rules of the scripts.
    fn locate(&self, popped: &Bytes, most: f64) -> Result<AttemptsEdit, String> {
        if self.counting == Counting::AtRelease {
            return Ok(AttemptsEdit { at: 0, len: 0, attempts: 0 });
        }
        Payload::parse(popped.clone()).map_err(|error| error.to_string())?;
        let fields: HashMap<Cow<'_, str>, &RawValue> =
            serde_json::from_slice(popped).map_err(|error| error.to_string())?;
        edit_of(popped, fields.get("attempts").ok_or("no attempts")?.get(), most)
    }
}

fn edit_of(popped: &Bytes, attempts: &str, most: f64) -> Result<AttemptsEdit, String> {
    // From the text, for the JSON reader's own number may be off by its last bit.
    let count: Option<f64> = match serde_json::from_str::<Cow<'_, str>>(attempts) {
        // The white space of C, as in Lua's `tonumber`.
        Ok(text) => text.trim_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']).parse().ok(),
        Err(_) => attempts.parse().ok(),
    };
    let whole = |count: &f64| count.fract() == 0.0 && count.abs() <= most;
    let count = count.filter(whole).ok_or("attempts is not a whole number")?;
    let at = attempts.as_ptr() as usize - popped.as_ptr() as usize;
    Ok(AttemptsEdit { at, len: attempts.len(), attempts: count as i64 })
}

impl Queue for MemoryQueue {
    fn exchange<'a>(&'a self, queue: &'a str, ask: Exchange<'a>) -> BoxFuture<'a, Result<Exchanged, Error>> {
        Box::pin(async move {
            let taking = self.taking(queue, ask.token);
            let keeps_failed = self.0.dialect.keeps_failed();
            let done = self.with(queue, |lists| {
                let mut done = Exchanged::default();
                let mut back = Vec::new();
                for settling in ask.settle {
                    let Settling { reservation, settlement } = settling;
                    done.settled.push(lists.settle(reservation, settlement, keeps_failed, &mut back));
                }
                lists.notify += back.len();
                back.into_iter().rev().for_each(|popped| lists.ready.push_front(popped));
                if ask.want > 0 {
                    lists.migrate(ask.now, &taking, &mut done);
                    lists.reserve(&taking, &ask, &mut done);
                }
                let taken = done.reserved.len() + done.quarantined.len();
                lists.notify = lists.notify.saturating_sub(taken.saturating_sub(ask.woken));
                done.left = lists.ready.len() as u64;
                if done.left > 0 {
                    lists.notify += ask.woken.saturating_sub(taken);
                }
                let delayed = lists.delayed.iter().map(|(at, _)| *at);
                let reserved = lists.reserved.iter().map(|(at, token, _)| at + i64::from(token.number() > 0));
                done.next_due = delayed.chain(reserved).min();
                done
            });
            self.0.changed.notify_waiters();
            Ok(done)
        })
    }

    fn recover<'a>(
        &'a self,
        queue: &'a str,
        token: Token,
        expires_at: i64,
    ) -> BoxFuture<'a, Result<Vec<Reservation>, Error>> {
        Box::pin(async move {
            let taking = self.taking(queue, token);
            let under = |lists: &mut Lists| -> Vec<Bytes> {
                let under = lists.reserved.iter();
                let under = under.filter(|(at, known, _)| (*at, *known) == (expires_at, token));
                under.map(|(.., member)| member.clone()).collect()
            };
            let recovered = self.with(queue, under).into_iter().filter_map(|member| {
                let edit = taking.locate(&member, MOST + 1.0).ok()?;
                Some(taking.reserved(member, edit))
            });
            Ok(recovered.collect())
        })
    }

    fn renew<'a>(
        &'a self,
        queue: &'a str,
        held: &'a [&'a Reservation],
        expires_at: i64,
    ) -> BoxFuture<'a, Result<Vec<bool>, Error>> {
        Box::pin(async move {
            Ok(self.with(queue, |lists| {
                let renew = |reservation: &&Reservation| {
                    let member = reservation.reserved();
                    let mut standing = lists.reserved.iter_mut();
                    let found = standing
                        .find(|(_, token, bytes)| *token == reservation.token() && **bytes == *member);
                    found.map(|entry| entry.0 = entry.0.max(expires_at)).is_some()
                };
                held.iter().map(renew).collect()
            }))
        })
    }

    fn wait<'a>(&'a self, queues: &'a [String], seconds: f64) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        Box::pin(async move {
            let over = tokio::time::sleep(Duration::from_secs_f64(seconds));
            tokio::pin!(over);
            loop {
                let changed = self.0.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(queue) = self.take_token(queues) {
                    return Ok(vec![queue]);
                }
                tokio::select! {
                    () = changed => {}
                    () = self.0.woken.notified() => return Ok(Vec::new()),
                    () = &mut over => return Ok(Vec::new()),
                }
            }
        })
    }

    fn rules(&self) -> Rules {
        self.0.dialect.rules()
    }

    fn read(&self, payload: Bytes) -> Result<Payload, PayloadError> {
        self.0.dialect.read(payload)
    }

    fn wake(&self) -> BoxFuture<'_, ()> {
        self.0.woken.notify_waiters();
        Box::pin(async {})
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
            self.with(queue, |lists| {
                lists.ready.extend(payloads.iter().cloned().map(Bytes::from));
                lists.notify += payloads.len();
            });
            self.0.changed.notify_waiters();
            Ok(())
        })
    }

    fn later_all<'a>(
        &'a self,
        queue: &'a str,
        payloads: &'a [(i64, Vec<u8>)],
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.with(queue, |lists| {
            for (available_at, payload) in payloads {
                lists.put_off(*available_at, Bytes::copy_from_slice(payload));
            }
        });
        Box::pin(async { Ok(()) })
    }

    fn size<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<Sizes, Error>> {
        Box::pin(async move { Ok(self.sizes(queue)) })
    }

    fn clear<'a>(&'a self, queue: &'a str) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move {
            Ok(self.with(queue, |lists| {
                let jobs = lists.ready.len() + lists.delayed.len() + lists.reserved.len();
                let Lists { quarantine, timeout, failed, .. } = std::mem::take(lists);
                *lists = Lists { quarantine, timeout, failed, ..Lists::default() };
                jobs as u64
            }))
        })
    }

    fn reload<'a>(&'a self, queue: &'a str, from: State) -> BoxFuture<'a, Result<u64, Error>> {
        let moved = self.with(queue, |lists| {
            let aside = match from {
                State::Timeout => std::mem::take(&mut lists.timeout),
                State::Failed => std::mem::take(&mut lists.failed),
                _ => Vec::new(),
            };
            let moved = aside.len() as u64;
            lists.ready.extend(aside);
            moved
        });
        self.0.changed.notify_waiters();
        Box::pin(async move { Ok(moved) })
    }

    fn peek<'a>(
        &'a self,
        queue: &'a str,
        state: State,
        offset: usize,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<Peeked>, Error>> {
        Box::pin(async move {
            let plain = |payload: &Bytes| Peeked { payload: payload.clone(), at: None };
            let all: Vec<Peeked> = self.with(queue, |lists| match state {
                State::Pending => lists.ready.iter().map(plain).collect(),
                State::Quarantined => lists.quarantine.iter().map(plain).collect(),
                State::Timeout => lists.timeout.iter().map(plain).collect(),
                State::Failed => lists.failed.iter().map(plain).collect(),
                State::Delayed => {
                    let peeked = |(at, payload): &(i64, Bytes)| Peeked {
                        payload: payload.clone(),
                        at: Some(*at as f64),
                    };
                    lists.delayed.iter().map(peeked).collect()
                }
                State::Reserved => {
                    let peeked = |(at, token, payload): &(i64, Token, Bytes)| Peeked {
                        payload: payload.clone(),
                        at: Some(token.score(*at)),
                    };
                    lists.reserved.iter().map(peeked).collect()
                }
            });
            Ok(all.into_iter().skip(offset).take(limit).collect())
        })
    }
}
