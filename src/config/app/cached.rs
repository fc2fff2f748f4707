//! The configuration that `php artisan config:cache` left, read without PHP.
//!
//! It holds what the providers had made of the configuration when it was written. It does not hold the framework's
//! version, whether Horizon is loaded, nor the forwards of queues (Laravel 13.26 on), and what a provider works out
//! anew at each boot is as of then. Never guesses. Counterpart in PHP: `Illuminate\Foundation\Bootstrap\LoadConfiguration`.

use std::path::{Path, PathBuf};

use super::super::var_export;
use super::found::Found;
use super::installed;

/// What came of the cached file.
#[derive(Debug)]
pub(super) enum Cached {
    /// All that PHP would go by.
    Whole(Found),
    /// Something of it is only known to PHP.
    Part(Found),
    /// Not what `var_export` writes.
    Odd { path: PathBuf, what: String },
}

/// Where the app keeps it: only the real environment counts, `.env` is not read then.
pub(super) fn path(directory: &Path, environment: &[(String, String)]) -> PathBuf {
    let named = environment.iter().find(|(name, value)| name == "APP_CONFIG_CACHE" && !value.is_empty());
    directory.join(named.map_or("bootstrap/cache/config.php", |(_, path)| path))
}

impl Cached {
    /// Reads the file; nothing where there is none.
    pub(super) fn read(path: &Path, directory: &Path) -> Option<Self> {
        let Ok(file) = std::fs::read(path) else { return None };
        let config = match var_export::returned(&file) {
            Ok(config) => config,
            Err(what) => return Some(Cached::Odd { path: path.to_owned(), what }),
        };
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        let installed = installed::framework(&directory);
        let mut found = Found {
            horizon: config.get("horizon").is_some() && installed::horizon(&directory),
            config,
            version: "13.26.0".to_owned(),
            storage: directory.join("storage"),
            forwards: Vec::new(),
            failer: None,
            mysql_socket: None,
            origin: "the app's cached configuration".to_owned(),
            warnings: Vec::new(),
        };
        let Some((version, _)) = installed else {
            found.warnings.push(
                "Neither vendor/ nor composer.lock tells the framework's version: the rules of Laravel 13 are taken."
                    .to_owned(),
            );
            return Some(Cached::Part(found));
        };
        found.version = version;
        if super::version(&found.version) < (13, 26) {
            return Some(Cached::Whole(found));
        }
        found.warnings.push(
            "Without PHP it cannot be told whether the app forwards queues (Queue::forward); their jobs would be looked \
             for under the old name."
                .to_owned(),
        );
        Some(Cached::Part(found))
    }
}
