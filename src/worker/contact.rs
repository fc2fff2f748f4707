//! How one connection of a worker stands as a whole: its wake-ups, what was told of its outages, and its clock.
//!
//! Values only; the ledger acts on them. What is known of its queues one by one is their line's. Counterpart in PHP: none.

use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::outage::{Outage, Told};

#[derive(Default)]
pub(super) struct Contact {
    /// The wait for its wake-ups that is under way.
    pub(super) wait: Option<AbortHandle>,
    /// What was told of its queues that are in an outage.
    pub(super) told: Told,
    /// Waiting does not work, and not before this again.
    deaf: Outage,
    deaf_until: Option<Instant>,
    deaf_told: bool,
    /// How many seconds this host's clock is ahead of its Redis', as last told.
    told_skew: i64,
}

impl Contact {
    /// It may be waited at for wake-ups, and is not yet.
    pub(super) fn is_to_be_heard(&self, now: Instant) -> bool {
        self.wait.is_none() && self.deaf_until.is_none_or(|until| until <= now)
    }

    /// When waiting is tried again that did not work.
    pub(super) fn deaf_until(&self) -> Option<Instant> {
        self.deaf_until
    }

    /// A wait did what it should; true where it had been told that it did not.
    pub(super) fn hears(&mut self) -> bool {
        self.deaf.ends();
        std::mem::take(&mut self.deaf_told)
    }

    /// A wait failed; true where it had failed before and nobody was told.
    pub(super) fn hears_nothing(&mut self, error: String, now: Instant) -> bool {
        self.deaf.fails(error, false);
        self.deaf_until = Some(now + self.deaf.pause());
        self.deaf.pause() > Duration::from_millis(100) && !self.deaf_told
    }

    /// That waiting does not work was told.
    pub(super) fn deafness_told(&mut self) {
        self.deaf_told = true;
    }

    /// This host's clock is so many seconds ahead of its Redis'; true where that is to be told.
    pub(super) fn is_ahead(&mut self, ahead: i64) -> bool {
        if (ahead - self.told_skew).abs() < 2 {
            return false;
        }
        self.told_skew = ahead;
        ahead.abs() > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_differs_is_told_once_however_often_it_is_looked_at() {
        let mut contact = Contact::default();
        let told = [0, 1, 5, 5, 6, 0, 5].map(|ahead| contact.is_ahead(ahead));
        assert_eq!(told, [false, false, true, false, false, false, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_fails_is_tried_again_later_and_told_the_second_time() {
        let (mut contact, now) = (Contact::default(), Instant::now());
        assert!(contact.is_to_be_heard(now));
        assert!(!contact.hears_nothing("NOPERM".into(), now), "perhaps only a connection that was cut");
        assert!(!contact.is_to_be_heard(now));
        assert!(contact.hears_nothing("NOPERM".into(), now));
        contact.deafness_told();
        assert!(!contact.hears_nothing("NOPERM".into(), now));
        assert!(contact.hears() && !contact.hears());
        assert!(contact.is_to_be_heard(now + Duration::from_secs(1)));
    }
}
