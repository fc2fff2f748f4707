//! Tests of the support itself: a judge nobody has judged proves nothing. Never tests Handover.

mod compare;
mod differential;
mod laravel;
mod process;
mod proxy;
mod redis;
mod tally;
