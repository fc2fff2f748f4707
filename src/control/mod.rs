//! What operators ask for while a worker runs.
//!
//! Owns the signals; each is turned into a word before anybody acts on it.
//! Counterpart in PHP: `Illuminate\Queue\Worker::listenForSignals`.

mod unix;

pub use unix::{Signal, signals};
