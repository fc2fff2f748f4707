//! Handover: a queue worker that takes the place of `php artisan queue:work`.

pub mod php;

pub mod job;

pub mod queue;

pub mod failed;

pub mod clock;
pub mod events;
