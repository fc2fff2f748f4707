//! A configuration as it was found, whoever read it: the array, and what stands in no array.
//!
//! Asks the app's own PHP where it is asked to; never decides who is asked. Counterpart in PHP: the configuration
//! repository after `artisan` has booted.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::super::Error;
use super::super::tree::Tree;
use super::probe;

const PROBE: &str = include_str!("../probe/laravel.php");

/// The configuration of an app, not yet understood.
#[derive(Clone, Debug)]
pub(in crate::config) struct Found {
    /// The framework's version, e.g. `8.83.26`.
    pub(in crate::config) version: String,
    /// The app's storage folder.
    pub(in crate::config) storage: PathBuf,
    /// Horizon's provider is loaded.
    pub(in crate::config) horizon: bool,
    /// `Queue::forward`: a queue, the connection it is for and the queue in its place, where they are named.
    pub(in crate::config) forwards: Vec<(String, Option<String>, Option<String>)>,
    /// The class that keeps failed jobs, where the app was asked.
    pub(in crate::config) failer: Option<String>,
    /// `pdo_mysql.default_socket`, where PHP was asked.
    pub(in crate::config) mysql_socket: Option<String>,
    /// The array.
    pub(in crate::config) config: Tree,
    /// Who read it, as it stands behind "from".
    pub(in crate::config) origin: String,
    /// What is to be known about that, in a sentence each.
    pub(in crate::config) warnings: Vec<String>,
}

/// What the probe prints.
#[derive(Deserialize)]
struct Answer {
    version: String,
    storage: PathBuf,
    horizon: bool,
    forwards: Vec<(String, Option<String>, Option<String>)>,
    failer: Option<String>,
    mysql_socket: Option<String>,
    config: serde_json::Value,
}

impl Found {
    /// Asks the app in this directory.
    ///
    /// # Errors
    /// Where PHP cannot be run or the app does not boot; the message carries what PHP said.
    pub(in crate::config) fn ask(directory: &Path, php: &str) -> Result<Self, Error> {
        let answer: Answer = probe::answered(PROBE, directory, php, [])?;
        Ok(Found {
            version: answer.version,
            storage: answer.storage,
            horizon: answer.horizon,
            forwards: answer.forwards,
            failer: answer.failer,
            mysql_socket: answer.mysql_socket,
            config: answer.config.into(),
            origin: "the app".to_owned(),
            warnings: Vec::new(),
        })
    }
}
