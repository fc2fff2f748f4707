//! One framework's wire as data: keys, scripts, rules. Never does I/O.

pub mod laravel;
mod rules;
mod shape;

pub use laravel::{Keys, Laravel};
pub use rules::{MAX_ATTEMPTS_CLASS, Rules};
pub use shape::{Backoff, Refusal, Shape};
