//! Handover: a queue worker that takes the place of `php artisan queue:work`.
