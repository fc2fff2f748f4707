//! A copy of a stand-in for an app of ThinkPHP or Hyperf, in a directory of its own: its files, its configuration as
//! Handover reads it, and commands started in it. Never asserts what they say.

use std::path::{Path, PathBuf};
use std::process::Command;

use handover::config::{App, Config, Low};
use tempfile::TempDir;

use super::process::{Finished, Running, command};
use super::{copy_tree, fixtures};

/// An app that is made of files alone.
pub struct Skeleton(TempDir);

impl Skeleton {
    /// A copy of this one of the fixtures, such as `think/6`.
    pub fn of(name: &str) -> Skeleton {
        let directory = tempfile::Builder::new().prefix("skeleton-").tempdir().expect("a directory");
        copy_tree(&fixtures().join(name), directory.path());
        Skeleton(directory)
    }

    /// The app's directory, as the system names it.
    pub fn directory(&self) -> PathBuf {
        self.0.path().canonicalize().expect("the directory")
    }

    /// Writes a file of the app.
    pub fn set_file(&self, relative: impl AsRef<Path>, content: &str) {
        let path = self.0.path().join(relative);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, content).expect("a file");
    }

    /// Replaces a part of a file that has it.
    #[track_caller]
    pub fn edit(&self, file: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.0.path().join(file)).expect("the file");
        assert!(text.contains(from), "{file} has no {from:?}");
        self.set_file(file, &text.replacen(from, to, 1));
    }

    /// What Composer says is installed.
    pub fn install(&self, package: &str, version: &str) {
        let list = format!(r#"{{"packages":[{{"name":"{package}","version":"{version}"}}]}}"#);
        self.set_file("vendor/composer/installed.json", &list);
    }

    /// The configuration with these flags, or what is said in its place.
    pub fn read(&self, flags: &[(&str, &str)]) -> Result<Config, String> {
        Config::from_low(&self.low(flags)).map_err(|error| error.to_string())
    }

    /// What was typed to start in this app's directory.
    pub fn low(&self, flags: &[(&str, &str)]) -> Low {
        let mut low = Low::default();
        low.flag("app", self.directory().display().to_string());
        flags.iter().for_each(|(name, value)| low.flag(name, *value));
        low
    }

    /// The configuration and the app's part of it.
    #[track_caller]
    pub fn said(&self, flags: &[(&str, &str)]) -> (Config, App) {
        let config = self.read(flags).unwrap_or_else(|error| panic!("{error}"));
        let app = config.app.clone().expect("there is an app");
        (config, app)
    }

    /// The binary, started in the app's directory with these variables, to its end.
    pub fn handover(&self, words: &[&str], variables: &[(&str, &str)]) -> Finished {
        let mut command: Command = command(env!("CARGO_BIN_EXE_handover"));
        command.current_dir(self.0.path()).args(words).envs(variables.iter().copied());
        Running::start(command).finish()
    }
}
