//! Builds what a Dockerfile describes, step by step, in directories: no engine, no root, nothing outside them. COPY copies
//! from the project or an earlier stage, RUN runs its script with every absolute path moved below the stage's directory.
//! A base image is a directory with a list of users: the programs that it would bring are this machine's. Panics where a
//! file holds what it does not know.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Once, OnceLock};
use std::time::Duration;

use tempfile::TempDir;

use crate::support::process::{Running, command};

/// The project, which is every build's context.
pub(super) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What one stage has come to.
#[derive(Default)]
pub(super) struct Image {
    name: String,
    /// Where its files are, and what keeps them there.
    root: PathBuf,
    _dir: Option<TempDir>,
    workdir: String,
    /// The last word of each instruction that only says something: USER, ENTRYPOINT and so on.
    pub(super) says: BTreeMap<String, String>,
    pub(super) env: BTreeMap<String, String>,
}

impl Image {
    /// The last stage of a Dockerfile; a FROM that names one of these images starts with what it holds.
    pub(super) fn build(dockerfile: &str, args: &[(&str, &str)], given: &[(&str, &Image)]) -> Image {
        let mut stages: Vec<Image> = Vec::new();
        let mut defaults = BTreeMap::new();
        for (keyword, rest) in instructions(dockerfile) {
            if keyword == "ARG" {
                let (name, default) = rest.split_once('=').expect("an ARG with a default");
                let given = args.iter().find(|(known, _)| *known == name);
                defaults.insert(format!("${{{name}}}"), given.map_or(default, |(_, value)| value).to_owned());
            } else if keyword == "FROM" {
                let from = defaults.iter().fold(rest, |rest, (name, value)| rest.replace(name, value));
                let (from, name) = from.split_once(" AS ").unwrap_or((&from, ""));
                let base = given.iter().find(|(known, _)| *known == from).map(|(_, image)| *image);
                stages.push(Image::from(base, name));
            } else {
                let (stage, earlier) = stages.split_last_mut().expect("FROM comes first");
                stage.follow(&keyword, &rest, earlier);
            }
        }
        stages.pop().expect("a stage")
    }

    /// The stage that runs cargo has a place of its own that stays, so that only what has changed is built.
    fn from(base: Option<&Image>, name: &str) -> Image {
        static FIRST: Once = Once::new();
        let dir = (name != "build").then(|| TempDir::new().expect("a directory"));
        let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docker/build");
        FIRST.call_once(|| drop(fs::remove_dir_all(&kept)));
        let root = dir.as_ref().map_or(kept, |dir| dir.path().to_owned());
        let image = Image { name: name.to_owned(), root, _dir: dir, workdir: "/".into(), ..Image::default() };
        match base {
            None => {
                fs::create_dir_all(image.path("/etc")).expect("a folder");
                fs::write(image.path("/etc/passwd"), "root:x:0:0:root:/root:/bin/bash\n").expect("users");
                fs::write(image.path("/etc/group"), "root:x:0:\n").expect("groups");
                image
            }
            Some(base) => {
                copy(&base.root.join("."), &image.root);
                Image {
                    workdir: base.workdir.clone(),
                    says: base.says.clone(),
                    env: base.env.clone(),
                    ..image
                }
            }
        }
    }

    fn follow(&mut self, keyword: &str, rest: &str, earlier: &[Image]) {
        match keyword {
            "COPY" => self.copy_in(rest, earlier),
            "RUN" if self.name == "build" => self.build_once(rest),
            "RUN" => self.run(rest),
            "WORKDIR" => {
                self.workdir = rest.to_owned();
                fs::create_dir_all(self.path(rest)).expect("the WORKDIR");
            }
            "ENV" => {
                let (name, value) = rest.split_once('=').expect("ENV name=value");
                self.env.insert(name.to_owned(), value.to_owned());
            }
            "USER" | "HEALTHCHECK" | "STOPSIGNAL" | "ENTRYPOINT" => {
                self.says.insert(keyword.to_owned(), rest.to_owned());
            }
            _ => panic!("{keyword} {rest}: not known here"),
        }
    }

    fn copy_in(&self, rest: &str, earlier: &[Image]) {
        let (options, paths): (Vec<&str>, Vec<&str>) =
            rest.split(' ').partition(|word| word.starts_with("--"));
        let stage = options.iter().find_map(|option| option.strip_prefix("--from="));
        let (to, from) = paths.split_last().expect("COPY from to");
        let target = self.path(to);
        for from in from {
            let source = match stage {
                Some(name) => earlier.iter().find(|stage| stage.name == name).expect("the stage").path(from),
                None => project().join(from),
            };
            assert!(source.exists(), "COPY {rest}: there is no {}", source.display());
            if source.is_dir() {
                fs::create_dir_all(&target).expect("a folder");
                copy(&source.join("."), &target);
            } else if to.ends_with('/') {
                fs::create_dir_all(&target).expect("a folder");
                copy(&source, &target);
            } else {
                copy(&source, &target);
            }
        }
    }

    /// Both images build the same binary in the same way.
    fn build_once(&self, rest: &str) {
        static BUILT: OnceLock<String> = OnceLock::new();
        let built = BUILT.get_or_init(|| {
            self.run(rest);
            rest.to_owned()
        });
        assert_eq!(built, rest);
    }

    /// One script of docker/, which a COPY has brought, and its arguments: no shell.
    fn run(&self, rest: &str) {
        let mut words = rest.split(' ');
        let script = self.path(words.next().expect("a script"));
        let name = script.file_name().expect("a name");
        assert!(
            script.parent().is_some_and(|folder| folder.ends_with("docker")),
            "RUN {rest}: no script of docker/"
        );
        let own = fs::read(project().join("docker").join(name));
        assert!(
            fs::read(&script).is_ok_and(|bytes| own.is_ok_and(|own| own == bytes)),
            "RUN {rest}: not COPYed"
        );
        let mut command = command(&script);
        command.current_dir(self.path("."));
        command.args(words.map(|word| match word.starts_with('/') {
            true => self.path(word).display().to_string(),
            false => {
                assert!(
                    word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.=".contains(c)),
                    "RUN {rest}: {word}?"
                );
                word.to_owned()
            }
        }));
        // Cargo shares what it has built for these tests, and replaces none of it.
        let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
        command.env("CARGO_BUILD_BUILD_DIR", tmp.parent().expect("the target folder"));
        command.env("CARGO_TARGET_DIR", tmp.join("docker/target")).env("CARGO_NET_OFFLINE", "true");
        command.env("PROFILE", if cfg!(debug_assertions) { "dev" } else { "release" });
        for name in ["CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "RUSTFLAGS"] {
            std::env::var_os(name).map(|value| command.env(name, value));
        }
        if name == "install.sh" && !has_apt() {
            return;
        }
        let mut running = Running::start(command);
        // Cargo may take its time, or wait for another cargo.
        while running.is_running() {
            std::thread::sleep(Duration::from_millis(20));
        }
        let end = running.finish();
        assert_eq!(end.code, 0, "RUN {rest}: {}{}", end.stdout, end.stderr);
    }

    /// A path in the image, as the machine sees it.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        match path.strip_prefix('/') {
            Some(absolute) => self.root.join(absolute),
            None => self.root.join(self.workdir.trim_start_matches('/')).join(path),
        }
    }

    /// A command line of this image with its variables, in its WORKDIR; the image's own programs go before the machine's.
    pub(super) fn command(&self, words: &[String]) -> Command {
        let own = self.path("/usr/local/bin").join(&words[0]);
        let mut command = command(if own.exists() { own } else { PathBuf::from(&words[0]) });
        command.args(&words[1..]).envs(&self.env).current_dir(self.path("."));
        command
    }

    /// An instruction in the form of a JSON list, which needs no shell.
    pub(super) fn list(&self, instruction: &str) -> Vec<String> {
        let text = &self.says[instruction];
        let list = text.find('[').map(|at| &text[at..]).expect("a JSON list");
        serde_json::from_str(list).unwrap_or_else(|error| panic!("{instruction} {text}: {error}"))
    }
}

/// Where there is none, nobody can be asked what it would install.
fn has_apt() -> bool {
    Command::new("apt-get").arg("--version").output().is_ok()
}

/// Every instruction of a Dockerfile in docker/: its keyword and the rest of its line.
fn instructions(dockerfile: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(project().join("docker").join(dockerfile)).expect("a Dockerfile");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| line.split_once(' ').expect("an instruction"))
        .map(|(k, v)| (k.into(), v.into()))
        .collect()
}

/// Copies with times and modes, so that cargo sees what has changed.
fn copy(from: &Path, to: &Path) {
    let end = Command::new("cp").arg("-a").args([from, to]).status().expect("cp");
    assert!(end.success(), "cp -a {} {}", from.display(), to.display());
}
