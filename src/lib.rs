//! Handover: a queue worker that takes the place of `php artisan queue:work`.

/// PHP's serialize format: values, parsing, writing, reading into Rust types.
pub mod php;
