//! Tests of the support itself: a judge nobody has judged proves nothing. Never tests Handover.

mod cluster;
mod compare;
mod differential;
mod laravel;
mod process;
mod proxy;
mod redis;
mod sentinel;
mod tally;
mod tls;
