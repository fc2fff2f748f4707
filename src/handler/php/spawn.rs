//! Starts PHP processes that die with this one.
//!
//! The kernel ties a child's death signal to the thread that forked it, so one thread forks all, and lives as long as
//! the process. Never waits for a child.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::{OnceLock, mpsc};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::runtime::Handle;

use super::Runner;

/// Starts `php` on the runner in this directory, in a process group of its own.
pub(super) async fn start(
    runner: Runner,
    php: &str,
    directory: &Path,
    socket: &Path,
    arguments: &[String],
) -> io::Result<Child> {
    let build = |dies_with_us: bool| {
        let mut command = if dies_with_us {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL", "--", php]);
            command
        } else {
            Command::new(php)
        };
        command.arg("--").arg(socket).args(arguments).current_dir(directory).env("PWD", directory);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        command
    };
    let mut child = match fork(build(true)).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound && directory.is_dir() => {
            static TOLD: std::sync::Once = std::sync::Once::new();
            TOLD.call_once(|| {
                tracing::warn!(
                    "setpriv (util-linux) is not installed: if this process is killed, a PHP child ends only after its job"
                );
            });
            fork(build(false)).await?
        }
        started => started?,
    };
    let mut stdin = child.stdin.take().expect("piped");
    // PHP reads the whole script before it runs it; where it ended before that, its exit says why.
    let _ = stdin.write_all(runner.script.as_bytes()).await;
    Ok(child)
}

/// Forks on the one thread that never ends.
async fn fork(command: Command) -> io::Result<Child> {
    type Order = (Command, Handle, tokio::sync::oneshot::Sender<io::Result<Child>>);
    static FORKER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let forker = FORKER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        std::thread::Builder::new()
            .name("php-forker".into())
            .spawn(move || {
                for (mut command, runtime, answer) in inbox {
                    let _runtime = runtime.enter();
                    let _ = answer.send(command.spawn());
                }
            })
            .expect("a thread");
        orders
    });
    let (answer, child) = tokio::sync::oneshot::channel();
    forker.send((command, Handle::current(), answer)).map_err(io::Error::other)?;
    child.await.map_err(io::Error::other)?
}

/// Ends a process and all that it started, at once.
pub(super) fn kill(pid: u32) {
    if let Some(group) = Pid::from_raw(pid as i32) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Asks a process to leave after its job, as Supervisor would.
pub(super) fn terminate(pid: u32) {
    if let Some(pid) = Pid::from_raw(pid as i32) {
        let _ = kill_process(pid, Signal::TERM);
    }
}
