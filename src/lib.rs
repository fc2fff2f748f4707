//! Handover: a queue worker that takes the place of `php artisan queue:work`.

pub mod clock;
pub mod events;
pub mod failed;
pub mod job;
pub mod queue;
