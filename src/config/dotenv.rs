//! The app's `.env`: which file, what goes before it, and what Laravel's `env()` makes of a value.
//!
//! Never sets a variable and never runs PHP. Counterpart in PHP: `Dotenv\Loader\Loader`,
//! `Illuminate\Foundation\Bootstrap\LoadEnvironmentVariables`, `Illuminate\Support\Env::get`.

mod entry;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::Error;
use super::tree::Tree;
use entry::{Entry, Value, is_name, logical_lines};

/// The variables an app's configuration files see.
#[derive(Clone, Debug, Default)]
pub(super) struct Dotenv {
    real: BTreeMap<String, String>,
    file: BTreeMap<String, String>,
    /// The file that was read.
    pub(super) path: Option<PathBuf>,
}

impl Dotenv {
    /// The real environment, completed by `.env.<APP_ENV>` where APP_ENV is a real variable and there is such a file,
    /// else by `.env`. An app without the file has the real environment alone.
    pub(super) fn read(
        directory: &Path,
        real: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let dotenv = Dotenv { real: real.into_iter().collect(), ..Dotenv::default() };
        let of_environment = match dotenv.env("APP_ENV") {
            Some(environment) if environment.is_truthy() => {
                let environment = environment.text().unwrap_or_default();
                Some(directory.join(format!(".env.{environment}"))).filter(|path| path.is_file())
            }
            _ => None,
        };
        let path = of_environment.unwrap_or_else(|| directory.join(".env"));
        Self::of_file(&path, dotenv.real)
    }

    /// The real environment, completed by this file; by nothing where there is none.
    pub(super) fn of_file(
        path: &Path,
        real: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let mut dotenv = Dotenv { real: real.into_iter().collect(), ..Dotenv::default() };
        let Ok(bytes) = std::fs::read(path) else { return Ok(dotenv) };
        // As PHP does: what is not UTF-8 becomes question marks.
        let text = String::from_utf8_lossy(&bytes).replace(char::REPLACEMENT_CHARACTER, "?");
        dotenv.load(&text).map_err(|line| Error::OddDotenv { path: path.to_owned(), line })?;
        dotenv.path = Some(path.to_owned());
        Ok(dotenv)
    }

    /// Takes in the text of a file; the error is the number of a line that phpdotenv refuses, and why.
    fn load(&mut self, text: &str) -> Result<(), String> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut entries = Vec::new();
        for (number, line) in logical_lines(text) {
            entries.push(Entry::parse(&line).map_err(|what| format!("{number}: {what}"))?);
        }
        for Entry { name, value } in entries {
            if self.real.contains_key(&name) {
                continue;
            }
            match value {
                Some(value) => {
                    let value = self.expanded(&value);
                    self.file.insert(name, value);
                }
                None => drop(self.file.remove(&name)),
            }
        }
        Ok(())
    }

    /// The last place first, as phpdotenv does: a value that was put in is not looked at again.
    fn expanded(&self, value: &Value) -> String {
        let mut text = value.text.clone();
        for at in value.variables.iter().rev() {
            let rest = &text[*at..];
            let name = rest.strip_prefix("${").and_then(|rest| rest.split_once('}')).map(|(name, _)| name);
            let known = name.filter(|name| is_name(name)).and_then(|name| Some((name, self.get(name)?)));
            if let Some((name, known)) = known {
                text = format!("{}{known}{}", &text[..*at], &rest[name.len() + 3..]);
            }
        }
        text
    }

    /// What the file adds to the real environment.
    pub(super) fn of_the_file(&self) -> impl Iterator<Item = (String, String)> {
        self.file.iter().map(|(name, value)| (name.clone(), value.clone()))
    }

    /// The variable's text, from the real environment before the file.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.real.get(name).or_else(|| self.file.get(name)).map(String::as_str)
    }

    /// What `env($name)` gives; nothing where the default would be taken.
    pub(super) fn env(&self, name: &str) -> Option<Tree> {
        let value = self.get(name)?;
        Some(match value.to_ascii_lowercase().as_str() {
            "true" | "(true)" => Tree::Bool(true),
            "false" | "(false)" => Tree::Bool(false),
            "empty" | "(empty)" => Tree::Text(String::new()),
            "null" | "(null)" => Tree::Null,
            _ => Tree::Text(unquoted(value).to_owned()),
        })
    }
}

/// Without a pair of quotes that is still there.
fn unquoted(value: &str) -> &str {
    let inner = ['"', '\''].iter().find_map(|quote| {
        value.strip_prefix(*quote)?.strip_suffix(*quote).filter(|inner| !inner.contains('\n'))
    });
    inner.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use serde_json::Value as Json;

    use super::*;

    /// `php-fixtures/record-dotenv.php` wrote it with the real phpdotenv.
    const RECORDED: &str = include_str!("../../php-fixtures/golden/dotenv.json");

    fn bytes(json: &Json) -> Vec<u8> {
        BASE64_STANDARD.decode(json.as_str().unwrap()).unwrap()
    }

    #[test]
    fn every_recorded_file_is_read_as_phpdotenv_and_env_read_it() {
        let recorded: Vec<Json> = serde_json::from_str(RECORDED).unwrap();
        assert!(recorded.len() > 60);
        for answer in recorded {
            let directory = tempfile::tempdir().unwrap();
            let file = bytes(&answer["file"]);
            std::fs::write(directory.path().join(".env"), &file).unwrap();
            let real = [("HANDOVER_REAL", "real"), ("HANDOVER_EMPTY", "")];
            let real = real.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let (shown, read) = (file.escape_ascii().to_string(), Dotenv::read(directory.path(), real));
            if let Some(error) = answer.get("error") {
                // The sentence is ours: phpdotenv's repeats the value, which may be a secret.
                let theirs = String::from_utf8(bytes(error)).unwrap();
                let ours = read.expect_err(&shown).to_string();
                let cause = theirs.split("Encountered ").nth(1).unwrap().split(" at [").next().unwrap();
                assert!(ours.contains(cause), "{shown}: {ours} / {theirs}");
                continue;
            }
            let read = read.unwrap_or_else(|error| panic!("{shown}: {error}"));
            let mut names: Vec<&String> = read.real.keys().chain(read.file.keys()).collect();
            names.sort();
            let theirs = answer["variables"].as_object().unwrap();
            let mut expected: Vec<&String> = theirs.keys().collect();
            expected.sort();
            assert_eq!(names, expected, "{shown}");
            for (name, value) in theirs {
                assert_eq!(read.get(name).unwrap().as_bytes(), bytes(value), "{shown}: {name}");
                let of_env = match &answer["env"][name] {
                    Json::Null => Tree::Null,
                    Json::Bool(given) => Tree::Bool(*given),
                    text => Tree::Text(String::from_utf8(bytes(&text["text"])).unwrap()),
                };
                assert_eq!(read.env(name), Some(of_env), "{shown}: env({name})");
            }
        }
    }

    #[test]
    fn a_file_of_the_environment_goes_before_the_plain_one_only_where_the_real_app_env_names_it() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(".env"), "APP_ENV=staging\nA=plain").unwrap();
        std::fs::write(directory.path().join(".env.staging"), "A=staging").unwrap();
        let read = |real: &[(&str, &str)]| {
            let real = real.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Dotenv::read(directory.path(), real).unwrap().get("A").unwrap().to_owned()
        };
        assert_eq!(read(&[]), "plain");
        assert_eq!(read(&[("APP_ENV", "staging")]), "staging");
        assert_eq!(read(&[("APP_ENV", "testing")]), "plain");
        assert_eq!(read(&[("APP_ENV", "staging"), ("A", "real")]), "real");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_told_by_its_line_and_without_the_value() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(".env"), "A=b\n\nPASSWORD=hunter 2\n").unwrap();
        let told = Dotenv::read(directory.path(), []).unwrap_err().to_string();
        assert!(told.contains("line 3: unexpected whitespace") && !told.contains("hunter"), "{told}");
    }
}
