//! A Redis that does not do what it is asked: when to ask it again, and what of it has been told already.
//!
//! Values only; the ledger acts on them. Counterpart in PHP: the `sleep(1)` after a lost connection in
//! `Illuminate\Queue\Worker`.

use std::time::Duration;

use tokio::time::Instant;

/// Different causes that are told of one outage.
const CAUSES: usize = 5;

/// One outage, or none.
#[derive(Default)]
pub(super) struct Outage {
    until: Option<Instant>,
    pause: Duration,
    told: Vec<String>,
    error: String,
}

impl Outage {
    /// It did not do it, for this reason; true where that is to be told. Pauses of 0.1 s double to 1 s.
    pub(super) fn fails(&mut self, error: String) -> bool {
        self.pause = (self.pause * 2).clamp(Duration::from_millis(100), Duration::from_secs(1));
        self.until = Some(Instant::now() + self.pause);
        let is_new = self.told.len() < CAUSES && !self.told.contains(&error);
        if is_new {
            self.told.push(error.clone());
        }
        self.error = error;
        is_new
    }

    /// It did it; true where an outage ends with that.
    pub(super) fn ends(&mut self) -> bool {
        std::mem::take(self).until.is_some()
    }

    /// It has not done anything since it failed.
    pub(super) fn is_on(&self) -> bool {
        self.until.is_some()
    }

    /// It is not asked before this.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until.filter(|until| *until > Instant::now())
    }

    /// How long it is left alone this time.
    pub(super) fn pause(&self) -> Duration {
        self.pause
    }

    /// What it said last.
    pub(super) fn error(&self) -> &str {
        &self.error
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_cause_is_told_once_an_outage_and_the_pauses_grow() {
        let mut outage = Outage::default();
        assert!(!outage.is_on() && !outage.ends());
        assert!(outage.fails("broken pipe".into()));
        assert!(outage.until().is_some());
        tokio::time::advance(Duration::from_millis(100)).await;
        assert!(outage.until().is_none() && outage.is_on());
        assert!(!outage.fails("broken pipe".into()));
        assert!(outage.fails("NOAUTH".into()));
        assert_eq!((outage.pause(), outage.error()), (Duration::from_millis(400), "NOAUTH"));
        assert!(outage.ends());
        assert!(outage.fails("broken pipe".into()), "another outage");
        assert_eq!(outage.pause(), Duration::from_millis(100));
    }
}
