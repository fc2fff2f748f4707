//! The wall clock, behind one seam.
//!
//! Whole Unix seconds of this host, as in PHP: scores are written by whoever acts, not by Redis. A clock can be held
//! still and moved by hand, so that tests never wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A source of Unix seconds.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    standing: Option<Arc<AtomicI64>>,
    /// Seconds that the host's clock is wrong by.
    wrong_by: i64,
}

impl Clock {
    /// The host's clock.
    pub fn system() -> Self {
        Clock::default()
    }

    /// The host's clock, set forward by so many seconds: a host whose time is wrong.
    pub fn wrong_by(seconds: i64) -> Self {
        Clock { standing: None, wrong_by: seconds }
    }

    /// A clock that stands at this Unix second until it is moved; its clones move with it.
    pub fn standing_at(unix: i64) -> Self {
        Clock { standing: Some(Arc::new(AtomicI64::new(unix))), wrong_by: 0 }
    }

    /// Now, in whole Unix seconds.
    pub fn now(&self) -> i64 {
        match &self.standing {
            Some(unix) => unix.load(Ordering::SeqCst),
            None => {
                let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
                unix.as_secs() as i64 + self.wrong_by
            }
        }
    }

    /// Moves a standing clock on.
    ///
    /// # Panics
    /// On the host's clock, which nobody moves.
    pub fn advance(&self, by: Duration) {
        let unix = self.standing.as_ref().expect("only a standing clock can be moved");
        unix.fetch_add(by.as_secs() as i64, Ordering::SeqCst);
    }

    /// True for a clock that only moves by hand.
    pub fn stands(&self) -> bool {
        self.standing.is_some()
    }
}
