//! Some of the originals at work side by side, each a loop of its own as each process of theirs is. Never decides what
//! becomes of a job: a test does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::Duration;

use redis::RedisResult;

use super::{Original, Settings, Taken, connect};
use crate::support::wire::Wire;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Done,
    /// To be run again after so many seconds: it was released, or threw.
    Again(i64),
    /// For good.
    Failed,
}

/// What runs the jobs: told which of the crew it is, from 0, and the job.
pub trait Handler: Fn(usize, &Taken) -> Ended + Send + Sync + 'static {}
impl<F: Fn(usize, &Taken) -> Ended + Send + Sync + 'static> Handler for F {}

/// Some consumers at work until they are stopped.
pub struct Crew {
    over: Arc<AtomicBool>,
    hands: Vec<JoinHandle<()>>,
}

impl Crew {
    /// So many of them.
    pub fn start(count: usize, wire: Wire, url: &str, settings: Settings, handler: impl Handler) -> Crew {
        let (over, handler) = (Arc::new(AtomicBool::new(false)), Arc::new(handler));
        let hand = |number| {
            let (over, handler, url) = (over.clone(), handler.clone(), url.to_owned());
            spawn(move || {
                let mut link: Option<Box<dyn Original>> = None;
                while !over.load(Ordering::SeqCst) {
                    let worked = match &mut link {
                        Some(link) => work_one(link.as_mut(), |taken| handler(number, taken)),
                        None => connect(wire, &url, settings).map(|made| {
                            link = Some(made);
                            true
                        }),
                    };
                    match worked {
                        Ok(true) => {}
                        Ok(false) => sleep(Duration::from_millis(10)),
                        // Whatever it was about is over for it; the next one it begins on a new connection.
                        Err(_) => {
                            link = None;
                            sleep(Duration::from_millis(10));
                        }
                    }
                }
            })
        };
        let hands = (0..count).map(hand).collect();
        Crew { over, hands }
    }

    /// Lets each end the job it is at.
    pub fn stop(mut self) {
        self.over.store(true, Ordering::SeqCst);
        self.hands.drain(..).for_each(|hand| hand.join().expect("one of the crew"));
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
    }
}

/// One round: false where there was nothing to do.
///
/// # Errors
/// Where the connection failed; what it was in the middle of is as far as it came.
pub fn work_one(link: &mut dyn Original, handler: impl FnOnce(&Taken) -> Ended) -> RedisResult<bool> {
    let Some(taken) = link.pop()? else { return Ok(false) };
    match handler(&taken) {
        Ended::Done => link.delete(&taken)?,
        Ended::Again(delay) => link.release(&taken, delay)?,
        Ended::Failed => link.fail(&taken)?,
    }
    Ok(true)
}
