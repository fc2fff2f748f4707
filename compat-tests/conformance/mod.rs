//! What every queue promises: one suite, run against Redis and against memory.

mod attempts;
mod judge;
mod lost_answers;
mod model;
mod rows;
mod suite;
mod unreadable;

use handover::MemoryQueue;
use handover::dialect::{Counting, Dialect, Hyperf, Laravel, Think};
use handover::job::Settlement;
use handover::queue::{
    Exchange, Exchanged, LATEST, Queue, RedisQueue, RedisQueueOptions, Reservation, Settling, State, Token,
};

use crate::support::redis::Redis;

/// A queue on this server, without prefix.
pub fn redis_queue(redis: &Redis) -> RedisQueue {
    speaking(redis, Laravel::new(""))
}

/// The same of another dialect.
pub fn speaking(redis: &Redis, dialect: impl Into<Dialect>) -> RedisQueue {
    let server = handover::redis::Redis::new(&redis.url(0)).unwrap();
    RedisQueue::new(server, dialect, RedisQueueOptions::default())
}

/// The moment at which the suite begins.
pub const NOW: i64 = 1_700_000_000;
/// The lease it reserves for.
pub const LEASE: i64 = 90;

/// A queue as the suite drives it, and a moment that it moves itself.
pub struct Driven<'a> {
    pub queue: &'a dyn Queue,
    pub now: i64,
    pub counting: Counting,
    has_tokens: bool,
    next_token: u32,
}

impl<'a> Driven<'a> {
    pub fn new(queue: &'a dyn Queue) -> Self {
        Driven { queue, now: NOW, counting: Counting::AtReserve, has_tokens: true, next_token: 1 }
    }

    pub fn speaking(self, dialect: &Dialect) -> Self {
        Driven { counting: dialect.counting(), has_tokens: dialect.rules().has_wake_ups, ..self }
    }

    /// By how much a reservation raises the count.
    pub fn raise(&self) -> i64 {
        i64::from(self.counting == Counting::AtReserve)
    }

    /// The number of the attempt at a job that was pushed with this count.
    pub fn number(&self, count: i64) -> i64 {
        count + i64::from(self.counting != Counting::AtReturn)
    }

    /// A payload with this id and count of attempts.
    pub fn job(&self, id: &str, attempts: i64) -> String {
        match self.counting {
            Counting::AtRelease => message(id, attempts),
            Counting::AtReserve | Counting::AtReturn => job(id, attempts),
        }
    }

    /// The ids of these jobs.
    pub fn ids(&self, reserved: &[Reservation]) -> Vec<String> {
        let id = |reservation: &Reservation| {
            let payload = self.queue.read(reservation.popped().clone()).unwrap();
            payload.id().unwrap_or_else(|| {
                let job = payload.command().unwrap().value().unwrap();
                job.get("id").unwrap().as_str().unwrap().to_owned()
            })
        };
        reserved.iter().map(id).collect()
    }

    /// The order in which jobs run that are due in this order.
    pub fn due<const N: usize>(&self, mut ids: [&'static str; N]) -> [&'static str; N] {
        if self.counting == Counting::AtRelease {
            ids.reverse();
        }
        ids
    }

    /// True where an expired reservation goes to a list of its own, and does not come back.
    pub fn loses_expired(&self) -> bool {
        self.counting == Counting::AtRelease
    }

    /// Takes so many wake-up tokens, and no more are there. Where the dialect has none, a wait ends as long as there is a
    /// job.
    pub async fn assert_tokens(&self, count: usize) {
        let queues = ["q".to_owned()];
        for _ in 0..count {
            assert_eq!(self.queue.wait(&queues, 1.0).await.unwrap(), ["q"]);
        }
        if !self.has_tokens && self.queue.size("q").await.unwrap().pending > 0 {
            return;
        }
        assert_eq!(self.queue.wait(&queues, 0.05).await.unwrap(), [""; 0]);
    }

    pub async fn push(&self, payload: &str) {
        self.queue.push("q", payload.as_bytes()).await.unwrap();
    }

    pub async fn exchange(&mut self, settle: &[Settling], want: usize, woken: usize) -> Exchanged {
        self.next_token += 1;
        let token = Token::new(self.next_token);
        for _ in 0..20 {
            let asked = std::time::Instant::now();
            let ask = Exchange { settle, want, token, now: self.now, lease: LEASE, woken };
            if let Ok(done) = self.queue.exchange("q", ask).await {
                return done;
            }
            // Fifty megabytes on a slow machine: the answer came too late, and is looked for as the worker does, for as
            // long as it may have its effect.
            while want > 0 && asked.elapsed() < LATEST {
                let found = self.queue.recover("q", token, self.now + LEASE).await.unwrap_or_default();
                if !found.is_empty() {
                    return Exchanged { reserved: found, ..Exchanged::default() };
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
        panic!("Redis did not answer twenty times");
    }

    pub async fn standing(&self, state: State) -> Vec<String> {
        let peeked = self.queue.peek("q", state, 0, 999).await.unwrap();
        peeked.into_iter().map(|peeked| String::from_utf8(peeked.payload.to_vec()).unwrap()).collect()
    }

    pub async fn reserve(&mut self, want: usize) -> Vec<Reservation> {
        self.exchange(&[], want, 0).await.reserved
    }

    pub async fn settle(&mut self, reservation: Reservation, settlement: Settlement) -> bool {
        let settling = [Settling { reservation, settlement }];
        let done = self.exchange(&settling, 0, 0).await;
        settling.into_iter().for_each(|settling| settling.reservation.close());
        done.settled == [true]
    }

    /// Pending, delayed, reserved, quarantined.
    pub async fn sizes(&self) -> [u64; 4] {
        let sizes = self.queue.size("q").await.unwrap();
        [sizes.pending, sizes.delayed, sizes.reserved, sizes.quarantined]
    }
}

/// A job payload with this id and count of attempts.
pub fn job(id: &str, attempts: i64) -> String {
    format!(r#"{{"job":"A@b","data":[],"id":"{id}","attempts":{attempts}}}"#)
}

/// The same as a message of Hyperf.
pub fn message(id: &str, attempts: i64) -> String {
    let job = format!("O:9:\"App\\Job\\A\":1:{{s:2:\"id\";s:{}:\"{id}\";}}", id.len());
    format!("O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{{s:3:\"job\";{job}s:8:\"attempts\";i:{attempts};}}")
}

macro_rules! for_every_queue {
    ($dialects:tt $tests:tt) => { for_every_queue!(@dialects $dialects $tests); };
    (@dialects {$($module:ident: $dialect:expr),* $(,)?} $tests:tt) => {
        $(for_every_queue!(@tests $module, $dialect, $tests);)*
    };
    (@tests $module:ident, $dialect:expr, {$($name:ident),* $(,)?}) => {
        mod $module {
            #[allow(unused_imports, reason = "each names one")]
            use super::{Dialect, Driven, Hyperf, Laravel, MemoryQueue, Redis, Think, speaking, suite};

            fn dialect() -> Dialect {
                $dialect.into()
            }

            mod redis {$(
                #[tokio::test]
                async fn $name() {
                    let redis = super::Redis::start();
                    let queue = super::speaking(&redis, super::dialect());
                    let driven = super::Driven::new(&queue).speaking(&super::dialect().into());
                    super::suite::$name(driven).await;
                }
            )*}
            mod memory {$(
                #[tokio::test]
                async fn $name() {
                    let queue = super::MemoryQueue::speaking(super::dialect());
                    let driven = super::Driven::new(&queue).speaking(&super::dialect().into());
                    super::suite::$name(driven).await;
                }
            )*}
        }
    };
}

for_every_queue! {
{
    laravel: Laravel::new(""),
    think: Think::new(""),
    think_before_3: Think::new("").version((1, 1, 6)),
    hyperf: Hyperf::new(""),
}
{
    jobs_are_reserved_in_order_and_only_their_attempts_change,
    many_pushed_at_once_are_jobs_like_any,
    a_release_is_delayed_with_its_attempts_spent,
    jobs_handed_back_stand_at_the_head_in_their_first_order,
    a_late_settlement_of_a_job_that_was_handed_back_changes_nothing,
    a_lost_reserve_is_recovered_by_its_token,
    renewing_moves_the_expiry_and_tells_what_is_gone,
    equal_payloads_never_share_a_reservation,
    equal_payloads_released_stay_as_many,
    due_jobs_move_before_expired_reservations,
    the_next_due_time_is_told,
    clearing_leaves_what_was_set_aside,
    what_was_moved_aside_is_put_back_behind_what_waits,
}
}
