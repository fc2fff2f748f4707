//! The consumers that we take the place of, as Redis sees them: their commands one by one, each on its own way there and
//! back, so that what is cut off between two of them is lost as it is in PHP. Written from what their released versions
//! send. Never faster or safer than they are, and knows nothing of what a job does.

mod crew;
mod hyperf;
mod think;

pub use crew::{Crew, Ended, work_one};
use redis::{Connection, RedisResult};

use super::snapshot::now;
use super::wire::Wire;

/// One consumer on one connection. An error is the end of the connection: make another one.
pub trait Original: Send {
    /// Brings back what is due, then takes the next job.
    fn pop(&mut self) -> RedisResult<Option<Taken>>;
    /// The job is done.
    fn delete(&mut self, taken: &Taken) -> RedisResult<()>;
    /// The job is to run again after so many seconds.
    fn release(&mut self, taken: &Taken, delay: i64) -> RedisResult<()>;
    /// The job is not to run again; who keeps a record of that elsewhere does so after this.
    fn fail(&mut self, taken: &Taken) -> RedisResult<()>;
}

/// A job that a consumer has taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// As it stood on the list.
    pub popped: Vec<u8>,
    /// As it stands among the reserved.
    pub reserved: Vec<u8>,
    /// Of this run, from 1.
    pub attempts: i64,
}

/// What a consumer is configured to.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Seconds for which a job is its own.
    pub retry_after: i64,
    /// Seconds for which Redis keeps it waiting for a job, where it is asked to; Hyperf's always asks.
    pub block_for: Option<f64>,
}

/// The consumer of this wire at this address.
///
/// # Panics
/// For Laravel: there the real one is at hand.
pub fn connect(wire: Wire, url: &str, settings: Settings) -> RedisResult<Box<dyn Original>> {
    let link = redis::Client::open(url)?.get_connection()?;
    match wire {
        Wire::Laravel => panic!("Laravel's own worker is the real one"),
        Wire::Think | Wire::ThinkBefore3 => Ok(Box::new(think::Think::new(wire, link, settings))),
        Wire::Hyperf => Ok(Box::new(hyperf::Hyperf::new(wire, link, settings))),
    }
}

/// Whole Unix seconds, as PHP tells the time.
fn second() -> i64 {
    now() as i64
}

/// One command there and its answer back.
fn ask<T: redis::FromRedisValue>(
    link: &mut Connection,
    name: &str,
    key: &str,
    words: &[&[u8]],
) -> RedisResult<T> {
    let mut command = redis::cmd(name);
    command.arg(key);
    for word in words {
        command.arg(*word);
    }
    command.query(link)
}
