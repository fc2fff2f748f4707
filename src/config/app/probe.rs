//! One run of the app's own PHP: a script on its standard input, one marked line of JSON out.
//!
//! Writes nothing into the app and never knows what the answer means. Counterpart in PHP: none; the scripts are in
//! `src/config/probe`.

use std::path::Path;
use std::process::{Command, Stdio};

use serde::de::DeserializeOwned;

use super::super::Error;

/// What each script begins with.
const ANSWER: &str = include_str!("../probe/answer.php");

/// What this script answers in this directory, with these variables beside the environment's.
///
/// # Errors
/// Where PHP cannot be run or the script does not come to its answer; the message carries what PHP said.
pub(super) fn answered<T: DeserializeOwned>(
    script: &str,
    directory: &Path,
    php: &str,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<T, Error> {
    let marker = format!("handover-{:016x}:", fastrand::u64(..));
    let no_php = |source| Error::NoPhp { php: php.to_owned(), source };
    let mut child = Command::new(php)
        .args(["-d", "display_errors=stderr", "--", &marker])
        .current_dir(directory)
        .envs(variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(no_php)?;
    let mut stdin = child.stdin.take().expect("piped");
    let _ = std::io::Write::write_all(&mut stdin, format!("{ANSWER}{script}").as_bytes());
    drop(stdin);
    let output = child.wait_with_output().map_err(no_php)?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    let answer = stdout.lines().find_map(|line| line.strip_prefix(&marker));
    let Some(answer) = answer else {
        let said = format!("{stdout}{}", String::from_utf8_lossy(&output.stderr));
        let said = said.trim().chars().take(600).collect();
        return Err(Error::AppDoesNotBoot { directory: directory.to_owned(), said });
    };
    // Only what is wrong and where: the answer holds passwords.
    serde_json::from_str(answer).map_err(|error| Error::OddConfiguration {
        directory: directory.to_owned(),
        what: match error.classify() {
            serde_json::error::Category::Data => error.to_string(),
            _ => "its answer is cut off".to_owned(),
        },
    })
}
