//! What every dialect says of itself: its keys, its scripts, and who counts an attempt.
//!
//! Values only. Counterpart in PHP: none; there each queue class has them in its methods.

/// The keys of one queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    /// List of ready payloads.
    pub ready: String,
    /// Sorted set of payloads being worked, by the Unix second their reservation ends.
    pub reserved: String,
    /// Sorted set of payloads for later, by the Unix second they are due.
    pub delayed: String,
    /// List of payloads that nobody can read. Ours: the frameworks lose these.
    pub quarantine: String,
    /// List of wake-up tokens, one for each ready payload, where the framework has one.
    pub notify: Option<String>,
    /// List that expired reservations go to, where they do not come back by themselves.
    pub timeout: Option<String>,
    /// List that failed jobs go to, where the framework keeps them beside the queue.
    pub failed: Option<String>,
}

impl Keys {
    /// The keys that every queue has, named after its ready list.
    pub(super) fn of(ready: String) -> Keys {
        let key = |suffix| format!("{ready}:{suffix}");
        Keys {
            reserved: key("reserved"),
            delayed: key("delayed"),
            quarantine: key("quarantine"),
            notify: None,
            timeout: None,
            failed: None,
            ready,
        }
    }

    /// Those that not every queue has, in the order in which scripts are given them.
    pub fn own(&self) -> impl Iterator<Item = &str> {
        [&self.notify, &self.timeout, &self.failed].into_iter().filter_map(Option::as_deref)
    }
}

/// What runs in Redis. Each begins with the head that says what is particular about its wire.
#[derive(Debug)]
pub struct Scripts {
    /// Settle and reserve.
    pub exchange: &'static str,
    /// Renew.
    pub renew: &'static str,
    /// What stands under a token.
    pub recover: &'static str,
    /// Append to the ready list.
    pub push: &'static str,
    /// Empty a queue.
    pub clear: &'static str,
}

/// When an attempt is counted in the payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counting {
    /// Raised in place when the job is reserved: the reserved bytes carry this attempt's number, and so does a release.
    #[default]
    AtReserve,
    /// The reserved bytes are the popped ones, which carry this attempt's number; whoever releases the job, or moves it
    /// back once its reservation has expired, raises it.
    AtReturn,
    /// The reserved bytes are the popped ones, which carry the attempts before this one; only a release writes the count
    /// anew. Scripts do not look into such bytes: where the count stands is read here.
    AtRelease,
}

/// Which end of the lists of a wire is the older one: where jobs are taken from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Oldest {
    /// The first element.
    #[default]
    First,
    /// The last element.
    Last,
}

/// The scripts with this head, for payloads that are JSON.
macro_rules! json_scripts {
    ($head:literal) => {
        $crate::dialect::Scripts {
            exchange: concat!(
                include_str!($head),
                include_str!("lua/attempts.lua"),
                include_str!("lua/exchange.lua")
            ),
            renew: include_str!("lua/renew.lua"),
            recover: concat!(include_str!("lua/attempts.lua"), include_str!("lua/recover.lua")),
            push: concat!(include_str!($head), include_str!("lua/push.lua")),
            clear: include_str!("lua/clear.lua"),
        }
    };
}
pub(super) use json_scripts;
