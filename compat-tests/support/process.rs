//! Child processes that cannot outlive their test: killed with their whole group on drop, and by the kernel should the
//! test process itself be killed. Output goes to files, so nothing blocks on a full pipe. Never knows what it runs.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;

/// How long anything outside this process may take. Generous: a slow machine must not fail a test.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A command that the kernel kills when this process dies. Spawn it with [`Running::start`] only.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    command.env_clear().env("LC_ALL", "C.UTF-8");
    for name in ["PATH", "HOME", "TMPDIR"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

/// A child process, its output so far, and its end.
pub struct Running {
    child: Child,
    stdout: NamedTempFile,
    stderr: NamedTempFile,
}

/// What a process left behind. `code` is 128 + n after signal n, as in a shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Running {
    /// Starts a command in a process group of its own.
    pub fn start(mut command: Command) -> Running {
        let stdout = NamedTempFile::new().expect("a file for stdout");
        let stderr = NamedTempFile::new().expect("a file for stderr");
        command.process_group(0).stdin(Stdio::null());
        command.stdout(stdout.reopen().expect("stdout")).stderr(stderr.reopen().expect("stderr"));
        let name = format!("{command:?}");
        let child = spawn(command).unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        Running { child, stdout, stderr }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by name ("TERM", "KILL", "STOP") to the process alone.
    pub fn signal(&self, name: &str) {
        send(name, &self.pid().to_string());
    }

    /// Sends a signal to the process and all others of its group, as Supervisor's `stopasgroup` does.
    pub fn signal_group(&self, name: &str) {
        send(name, &format!("-{}", self.pid()));
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("wait").is_none()
    }

    /// What it has written to stdout so far.
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// What it has written to stderr so far.
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Finished {
        wait_until("a process to end", || !self.is_running());
        let status = self.child.wait().expect("wait");
        Finished { code: code(status), stdout: self.stdout(), stderr: self.stderr() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        send("KILL", &format!("-{}", self.pid()));
        let _ = self.child.wait();
    }
}

/// Polls until the condition holds; panics after [`DEADLINE`]. For observing other processes, never for tasks of ours.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < DEADLINE, "waited {DEADLINE:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().expect("an exit code or a signal"))
}

fn read(file: &NamedTempFile) -> String {
    String::from_utf8_lossy(&std::fs::read(file.path()).expect("output")).into_owned()
}

/// The shell's own `kill`: every system has it, and it reaches a process group.
fn send(signal: &str, target: &str) {
    let script = format!("kill -s {signal} -- {target} 2>/dev/null");
    let _ = Command::new("sh").args(["-c", &script]).status();
}

/// The kernel ties a child to the thread that forked it, and test threads end: one thread that never ends forks all.
fn spawn(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::Sender<io::Result<Child>>);
    static FORKER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let forker = FORKER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                let _ = answer.send(command.spawn());
            }
        });
        orders
    });
    let (answer, child) = mpsc::channel();
    forker.send((command, answer)).expect("the forking thread lives");
    child.recv().expect("the forking thread answers")
}
