//! What operators ask of a worker while it runs.
//!
//! Owns the signals and the cache item of `queue:restart`; each is turned into a word before anybody acts on it.
//! Counterpart in PHP: `listenForSignals` and `queueShouldRestart` of `Illuminate\Queue\Worker` and
//! `think\queue\Worker`.

mod restart;
mod unix;

pub use restart::RestartKey;
pub use unix::signals;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// TERM, INT, QUIT: finish and stop; a second one: hand back and stop.
    Stop,
    /// USR2: reserve nothing more for now.
    Pause,
    /// CONT: go on.
    Resume,
    /// `queue:restart`: finish and stop.
    Restart,
}
