//! A Redis that does not do what it is asked, queue by queue: when to look after it, and what of it was told already.
//!
//! Values only; the ledger acts on them. Counterpart in PHP: the `sleep(1)` after a lost connection in
//! `Illuminate\Queue\Worker`.

use std::time::Duration;

/// Different causes that are told before all is well again.
const CAUSES: usize = 5;

/// One queue's outage, or none.
#[derive(Default)]
pub(super) struct Outage {
    pause: Duration,
    error: String,
    /// Redis answered, and refused: that may be about this queue alone.
    refused: bool,
}

impl Outage {
    /// It did not do it, for this reason. Pauses of 0.1 s double to 1 s.
    pub(super) fn fails(&mut self, error: String, refused: bool) {
        self.pause = (self.pause * 2).clamp(Duration::from_millis(100), Duration::from_secs(1));
        (self.error, self.refused) = (error, refused);
    }

    /// It did it; true where an outage ends with that.
    pub(super) fn ends(&mut self) -> bool {
        !std::mem::take(self).pause.is_zero()
    }

    /// It has not done anything since it failed.
    pub(super) fn is_on(&self) -> bool {
        !self.pause.is_zero()
    }

    /// Redis is there, and refuses.
    pub(super) fn is_refusal(&self) -> bool {
        self.is_on() && self.refused
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

/// Causes that were told: each once, until all is well again.
#[derive(Default)]
pub(super) struct Told(Vec<String>);

impl Told {
    /// True where this cause is to be told.
    pub(super) fn is_new(&mut self, cause: String) -> bool {
        let is_new = self.0.len() < CAUSES && !self.0.contains(&cause);
        if is_new {
            self.0.push(cause);
        }
        is_new
    }

    /// All is well; true where something had been told.
    pub(super) fn clear(&mut self) -> bool {
        !std::mem::take(&mut self.0).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_of_an_outage_grow_until_it_ends() {
        let mut outage = Outage::default();
        assert!(!outage.is_on() && !outage.ends());
        for milliseconds in [100, 200, 400, 800, 1000, 1000] {
            outage.fails("READONLY".into(), true);
            assert_eq!(outage.pause(), Duration::from_millis(milliseconds));
        }
        assert!(outage.is_refusal() && outage.error() == "READONLY");
        assert!(outage.ends() && !outage.is_on());
    }

    #[test]
    fn each_cause_is_told_once_until_all_is_well() {
        let mut told = Told::default();
        assert!(!told.clear());
        let new: Vec<bool> =
            ["broken pipe", "NOAUTH", "broken pipe"].map(|cause| told.is_new(cause.into())).into();
        assert_eq!(new, [true, true, false]);
        assert!(told.clear() && told.is_new("broken pipe".into()));
        let many = (0..9).filter(|n| told.is_new(n.to_string())).count();
        assert_eq!(many, CAUSES - 1, "a cause with a number in it floods nothing");
    }
}
