//! One framework's wire as data: keys, scripts, rules, how a payload is read. Never does I/O.
//!
//! A framework is one file here, the head of its scripts and its tests. Counterpart in PHP: the queue class of each.

pub mod hyperf;
pub mod laravel;
mod lines;
mod restart;
mod rules;
mod shape;
pub mod think;
mod wire;

use bytes::Bytes;

pub use hyperf::Hyperf;
pub use laravel::Laravel;
pub use lines::{Line, Lines, Part, Wording};
pub use restart::RestartItem;
pub use rules::Rules;
pub use shape::{Backoff, Refusal, Shape};
pub use think::Think;
pub use wire::{Counting, Keys, Oldest, Scripts};

use crate::job::{Payload, PayloadError};

/// How the workers and producers of a queue speak to each other through Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Laravel, Lumen, Horizon.
    Laravel(Laravel),
    /// think-queue of ThinkPHP.
    Think(Think),
    /// async-queue of Hyperf.
    Hyperf(Hyperf),
}

impl Dialect {
    /// The keys of a queue.
    pub fn keys(&self, queue: &str) -> Keys {
        match self {
            Dialect::Laravel(laravel) => laravel.keys(queue),
            Dialect::Think(think) => think.keys(queue),
            Dialect::Hyperf(hyperf) => hyperf.keys(queue),
        }
    }

    /// The Redis connection's key prefix; may be empty.
    pub fn prefix(&self) -> &str {
        match self {
            Dialect::Laravel(laravel) => &laravel.prefix,
            Dialect::Think(think) => &think.prefix,
            Dialect::Hyperf(hyperf) => &hyperf.prefix,
        }
    }

    /// True where the keys of this queue do not share a slot of a cluster.
    pub fn is_torn(&self, queue: &str) -> bool {
        match self {
            Dialect::Laravel(laravel) => laravel.is_torn(queue),
            Dialect::Think(think) => think.is_torn(queue),
            Dialect::Hyperf(hyperf) => hyperf.is_torn(queue),
        }
    }

    /// True where failed jobs stay beside their queue, in the step that removes them: nothing else is to record them.
    pub fn keeps_failed(&self) -> bool {
        match self {
            Dialect::Laravel(_) | Dialect::Think(_) => false,
            Dialect::Hyperf(_) => true,
        }
    }

    /// What runs in Redis.
    pub fn scripts(&self) -> &'static Scripts {
        match self {
            Dialect::Laravel(_) => &laravel::SCRIPTS,
            Dialect::Think(think) => think.scripts(),
            Dialect::Hyperf(_) => &hyperf::SCRIPTS,
        }
    }

    /// When an attempt is counted.
    pub fn counting(&self) -> Counting {
        match self {
            Dialect::Laravel(_) => Counting::AtReserve,
            Dialect::Think(think) => think.counting(),
            Dialect::Hyperf(_) => Counting::AtRelease,
        }
    }

    /// Which end of its lists jobs are taken from.
    pub fn oldest(&self) -> Oldest {
        match self {
            Dialect::Laravel(_) | Dialect::Think(_) => Oldest::First,
            Dialect::Hyperf(_) => Oldest::Last,
        }
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// Where the framework could not read it either.
    pub fn read(&self, raw: Bytes) -> Result<Payload, PayloadError> {
        match self {
            Dialect::Laravel(_) => Payload::parse(raw),
            Dialect::Think(think) => think.read(raw),
            Dialect::Hyperf(hyperf) => hyperf.read(raw),
        }
    }

    /// What a worker prints of its jobs.
    pub fn lines(&self) -> Lines {
        match self {
            Dialect::Laravel(_) => Lines::Artisan,
            Dialect::Think(think) => Lines::Worded(think.lines()),
            Dialect::Hyperf(_) => Lines::Worded(&lines::HYPERF),
        }
    }

    /// The cache item of `queue:restart`, where the framework has one.
    pub fn restart_item(&self) -> Option<RestartItem> {
        match self {
            Dialect::Laravel(_) => Some(restart::LARAVEL),
            Dialect::Think(think) => Some(think.restart_item()),
            Dialect::Hyperf(_) => None,
        }
    }

    /// The rules of retrying, timing out and telling why.
    pub fn rules(&self) -> Rules {
        match self {
            Dialect::Laravel(laravel) => laravel.rules(),
            Dialect::Think(think) => think.rules(),
            Dialect::Hyperf(hyperf) => hyperf.rules(),
        }
    }
}

impl Default for Dialect {
    /// Laravel's newest version without a prefix.
    fn default() -> Self {
        Dialect::Laravel(Laravel::new(""))
    }
}

impl From<Laravel> for Dialect {
    fn from(laravel: Laravel) -> Self {
        Dialect::Laravel(laravel)
    }
}

impl From<Think> for Dialect {
    fn from(think: Think) -> Self {
        Dialect::Think(think)
    }
}

impl From<Hyperf> for Dialect {
    fn from(hyperf: Hyperf) -> Self {
        Dialect::Hyperf(hyperf)
    }
}
