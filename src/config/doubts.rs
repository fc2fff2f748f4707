//! What is probably wrong in a configuration, seen without asking anybody.
//!
//! Never dials. Counterpart in PHP: none; the warnings of Laravel's documentation on queues.

use super::Config;
use super::dialect::{self, Defaults};
use crate::dialect::Dialect;

impl Config {
    /// What is probably wrong, a sentence each that says what to do; what the app's reader had to tell stands in
    /// [`App::warnings`](super::App).
    pub fn doubts(&self) -> Vec<String> {
        let Some(app) = &self.app else { return Vec::new() };
        let mut doubts = Vec::new();
        let (timeout, retry_after) = (self.options.timeout, self.options.retry_after);
        let connection = &self.connection;
        let setting = dialect::lease_setting(&self.dialect);
        // What has no timeouts cannot have them too long.
        let has_timeouts = timeout > 0 || Defaults::of(&self.dialect).timeout > 0;
        let is_late = timeout == 0 || i128::from(timeout) >= i128::from(retry_after);
        if self.expire_reservations && has_timeouts && is_late {
            let timeout = if timeout == 0 { "no limit".to_owned() } else { format!("{timeout} s") };
            doubts.push(format!(
                "The timeout ({timeout}) is not below the {setting} of [{connection}] ({retry_after} s): a PHP worker \
                 starts a job again while another one still runs it. Handover renews what it holds, but where PHP workers \
                 serve the same queues, set {setting} above the longest timeout; a larger one of a job class is not \
                 visible here."
            ));
        }
        for option in app.redis.iter().flat_map(|redis| &redis.rewrites_values) {
            doubts.push(rewriting(option));
        }
        let (store, driver) = (&app.cache.store, &app.cache.driver);
        let is_laravel = matches!(self.dialect, Dialect::Laravel(_));
        if is_laravel && matches!(driver.as_str(), "array" | "null") {
            doubts.push(format!(
                "The default cache store [{store}] ({driver}) keeps nothing for other processes: queue:restart reaches no \
                 worker, and jobs' unique locks and maxExceptions hold nowhere. Set CACHE_STORE (before Laravel 11 \
                 CACHE_DRIVER) to a store that all processes share."
            ));
        }
        doubts
    }
}

/// What phpredis' `serializer` or `compression` does to a queue.
pub(super) fn rewriting(option: &str) -> String {
    format!(
        "phpredis' {option} is set on the queue's Redis connection: PHP workers cannot delete their jobs then, and run \
         them again. Give the queue a Redis connection without it."
    )
}
