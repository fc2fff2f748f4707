//! A configuration as it was found, whoever read it: the array, and what stands in no array.
//!
//! Asks the app's own PHP where it is asked to; never decides who is asked. Counterpart in PHP: the configuration
//! repository after `artisan` has booted.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::super::Error;
use super::super::tree::Tree;

const PROBE: &str = include_str!("../probe.php");

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
        let marker = format!("handover-{:016x}:", fastrand::u64(..));
        // PHP reads the script from its standard input: nothing is written into the app.
        let mut child = Command::new(php)
            .args(["-d", "display_errors=stderr", "--", &marker])
            .current_dir(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| Error::NoPhp { php: php.to_owned(), source })?;
        let mut stdin = child.stdin.take().expect("piped");
        let _ = std::io::Write::write_all(&mut stdin, PROBE.as_bytes());
        drop(stdin);
        let output =
            child.wait_with_output().map_err(|source| Error::NoPhp { php: php.to_owned(), source })?;
        let stdout = String::from_utf8_lossy(&output.stdout);
        let answer = stdout.lines().find_map(|line| line.strip_prefix(&marker));
        let Some(answer) = answer else {
            let said = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
            let said = said.trim().chars().take(600).collect();
            return Err(Error::AppDoesNotBoot { directory: directory.to_owned(), said });
        };
        // Only what is wrong and where: the answer holds passwords.
        let answer: Answer = serde_json::from_str(answer).map_err(|error| Error::OddConfiguration {
            directory: directory.to_owned(),
            what: match error.classify() {
                serde_json::error::Category::Data => error.to_string(),
                _ => "its answer is cut off".to_owned(),
            },
        })?;
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
