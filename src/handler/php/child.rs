//! One PHP child, from its start to its end: what it says becomes reports to the attempt whose job it has, what the
//! pool orders becomes frames.
//!
//! Never settles anything and never decides about a retry. A child that breaks the protocol is killed.
//! Counterpart in PHP: the process of one `queue:work`.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::unix::OwnedWriteHalf;
use tokio::net::{UnixListener, UnixStream};
use tokio::process::Child;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;

use super::frame::{Frames, PROTOCOL, Said, Tell, write};
use super::output::Output;
use super::{Pool, PoolOptions, spawn};
use crate::job::Exception;

/// How long a job waits for a child that seemed to be done with its last one.
const SOON: Duration = Duration::from_millis(100);
/// How long the last words of a dead child are waited for, where something else still holds its pipes.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A job on its way to a child.
pub(crate) struct Assignment {
    pub(crate) token: u64,
    pub(crate) queue: String,
    pub(crate) raw: Bytes,
    pub(crate) reserved: Vec<u8>,
    /// Fail it with this reason instead of running it.
    pub(crate) fail: Option<String>,
    /// Id and name, for the log.
    pub(crate) called: (String, String),
    pub(crate) reports: UnboundedSender<Report>,
}

/// What becomes of an assignment, in order. No report at all means that it never reached a child.
#[derive(Debug)]
pub(crate) enum Report {
    /// The child has it: from here on the attempt counts.
    Started,
    /// It waits to hear whether the job is still held.
    Confirm,
    /// It was removed.
    Deleted,
    /// It is to run again at this Unix second.
    Released(i64),
    /// It threw.
    Threw(Exception),
    /// It failed for good, and the app has recorded it.
    Failed(Exception),
    /// Its time is up.
    TimedOut,
    /// The child is done with it.
    Ended,
    /// The child died with it.
    Died(Death),
}

/// How a child ended.
#[derive(Clone, Debug)]
pub(crate) struct Death {
    /// In words: the signal or the exit code.
    pub(crate) how: String,
    /// It was SIGKILL, which is also how Laravel ends a process whose job's time is up.
    pub(crate) killed: bool,
    /// The end of what it printed.
    pub(crate) said: String,
}

/// What the pool tells a child's keeper.
pub(super) enum Order {
    Run(Assignment),
    Held(bool),
    Quit,
    Terminate,
    Kill,
}

/// A started child that has yet to reach us.
pub(super) struct Newborn {
    process: Child,
    listener: UnixListener,
    directory: PathBuf,
    output: Output,
    pub(super) pid: u32,
}

impl Newborn {
    /// Starts a process and the socket it will ask at.
    pub(super) async fn start(pool: &Pool) -> io::Result<Self> {
        let directory = std::env::temp_dir().join(format!("handover-{:016x}", fastrand::u64(..)));
        std::fs::DirBuilder::new().mode(0o700).create(&directory)?;
        let socket = directory.join("php.sock");
        let started = async {
            let listener = UnixListener::bind(&socket)?;
            let PoolOptions { runner, php, directory, arguments, .. } = pool.options();
            let process = spawn::start(*runner, php, directory, &socket, arguments).await?;
            Ok((listener, process))
        };
        match started.await {
            Ok((listener, mut process)) => {
                let (output, pid) = (Output::default(), process.id().unwrap_or_default());
                output.of_process(pid);
                let (stdout, stderr) = (process.stdout.take(), process.stderr.take());
                tokio::spawn(output.clone().read(stdout.expect("piped")));
                tokio::spawn(output.clone().read(stderr.expect("piped")));
                Ok(Newborn { process, listener, directory, output, pid })
            }
            Err(error) => {
                let _ = std::fs::remove_dir_all(&directory);
                Err(error)
            }
        }
    }

    /// Keeps the child until it has ended; answers how.
    pub(super) async fn keep(mut self, id: u64, pool: Pool, mut orders: UnboundedReceiver<Order>) -> Death {
        let connected = loop {
            tokio::select! {
                biased;
                accepted = self.listener.accept() => break accepted.ok().map(|(stream, _)| stream),
                _ = self.process.wait() => break None,
                order = orders.recv() => match order {
                    Some(Order::Terminate | Order::Quit) => spawn::terminate(self.pid),
                    Some(Order::Run(_) | Order::Held(_)) => {}
                    Some(Order::Kill) | None => spawn::kill(self.pid),
                },
            }
        };
        let _ = std::fs::remove_dir_all(&self.directory);
        let Newborn { mut process, output, pid, .. } = self;
        let Some(stream) = connected else {
            let status = process.wait().await;
            return death(status, &output).await;
        };
        let (read, write) = UnixStream::into_split(stream);
        let mut keeper =
            Keeper { id, pid, pool, write, output, asked: false, running: None, started: false, next: None };
        keeper.work(read, &mut process, &mut orders).await
    }
}

struct Keeper {
    id: u64,
    pid: u32,
    pool: Pool,
    write: OwnedWriteHalf,
    output: Output,
    /// It waits for an answer to its wish.
    asked: bool,
    /// The job it has.
    running: Option<Assignment>,
    started: bool,
    /// The job it gets as soon as it asks, and until when that may take.
    next: Option<(Assignment, Instant)>,
}

impl Keeper {
    async fn work(
        &mut self,
        mut read: tokio::net::unix::OwnedReadHalf,
        process: &mut Child,
        orders: &mut UnboundedReceiver<Order>,
    ) -> Death {
        let mut frames = Frames::default();
        let mut open = true;
        let mut broken = None;
        let status = loop {
            let give_up = self.next.as_ref().map_or_else(far_away, |(_, until)| *until);
            tokio::select! {
                biased;
                said = frames.next(&mut read), if open => match said {
                    Ok(Some(said)) => self.hear(said).await,
                    Ok(None) => open = false,
                    // The process was ended with something unread: no fault of its own.
                    Err(error) if error.kind() != io::ErrorKind::InvalidData => open = false,
                    Err(error) => {
                        tracing::error!(pid = self.pid, "a PHP child broke the protocol and is ended: {error}");
                        spawn::kill(self.pid);
                        (open, broken) = (false, Some(error));
                    }
                },
                order = orders.recv() => match order {
                    Some(Order::Run(job)) if self.asked => self.send(job).await,
                    Some(Order::Run(job)) => self.next = Some((job, Instant::now() + SOON)),
                    Some(Order::Held(held)) => self.held(held).await,
                    Some(Order::Quit) if self.asked => self.quit().await,
                    // Said again when it asks: the pool has it down as retiring.
                    Some(Order::Quit) => {}
                    Some(Order::Terminate) => spawn::terminate(self.pid),
                    Some(Order::Kill) | None => spawn::kill(self.pid),
                },
                () = tokio::time::sleep_until(give_up) => {
                    self.next = None;
                    self.pool.is_busy(self.id);
                }
                status = process.wait() => break status,
            }
        };
        // What it said before it died is still in the socket; a grandchild may hold the other end open.
        while open && let Ok(Ok(Some(said))) = tokio::time::timeout(LAST_WORDS, frames.next(&mut read)).await
        {
            self.hear(said).await;
        }
        self.next = None;
        let mut death = death(status, &self.output).await;
        if let Some(error) = broken {
            death.how = format!("broke the protocol ({error}) and {}", death.how);
        }
        if let Some(job) = self.running.take() {
            let _ = job.reports.send(Report::Died(death.clone()));
        }
        self.output.belongs_to(None);
        death
    }

    async fn hear(&mut self, said: Said) {
        match said {
            Said::Hello { protocol, .. } if protocol == PROTOCOL => {}
            Said::Hello { .. } => spawn::kill(self.pid),
            Said::Done { status } => {
                self.ended();
                if status == 0 {
                    self.pool.is_done(self.id);
                }
            }
            Said::Ask { restart } => {
                self.ended();
                self.asked = true;
                match self.next.take() {
                    Some((job, _)) => {
                        self.pool.heard_restart(self.id, restart);
                        self.send(job).await;
                    }
                    None if self.pool.is_ready(self.id, restart) => {}
                    None => self.quit().await,
                }
            }
            Said::Down => self.pool.is_down_for_maintenance(self.id),
            // Where a job is on its way already, that is the answer.
            Said::Withdraw if self.asked && self.pool.is_away(self.id) => {
                self.asked = false;
                let _ = write(&mut self.write, &Tell::Nothing, [b"", b""]).await;
            }
            Said::Withdraw => {}
            Said::Started { token } => {
                self.started |= self.report(token, Report::Started);
            }
            Said::Confirm { token } => {
                // Nobody else answers for a job that this child no longer has.
                if !self.report(token, Report::Confirm) {
                    self.held(false).await;
                }
            }
            Said::Deleted { token } => drop(self.report(token, Report::Deleted)),
            Said::Released { token, at } => drop(self.report(token, Report::Released(at))),
            Said::Threw { token, class, message } => {
                self.report(token, Report::Threw(Exception::new(class, message)));
            }
            Said::Failed { token, class, message } => {
                self.report(token, Report::Failed(Exception::new(class, message)));
            }
            Said::TimedOut { token } => drop(self.report(token, Report::TimedOut)),
        }
    }

    fn ended(&mut self) {
        if let Some(job) = self.running.take() {
            let _ = job.reports.send(Report::Ended);
            self.output.belongs_to(None);
        }
    }

    /// Reports on the job in hand; what a child says of another one is nothing.
    fn report(&self, token: u64, report: Report) -> bool {
        let job = self.running.as_ref().filter(|job| job.token == token);
        job.is_some_and(|job| job.reports.send(report).is_ok())
    }

    async fn send(&mut self, job: Assignment) {
        self.asked = false;
        self.started = false;
        self.output.belongs_to(Some(job.called.clone()));
        let Assignment { token, queue, raw, reserved, fail, .. } = &job;
        let tell = Tell::Job { token: *token, queue, raw: raw.len(), fail: fail.as_deref() };
        // Where it cannot be written the process is ending; its end is reported.
        let _ = write(&mut self.write, &tell, [raw, reserved]).await;
        self.running = Some(job);
    }

    async fn held(&mut self, held: bool) {
        let _ = write(&mut self.write, &Tell::Held { held }, [b"", b""]).await;
    }

    async fn quit(&mut self) {
        self.asked = false;
        let _ = write(&mut self.write, &Tell::Quit, [b"", b""]).await;
    }
}

async fn death(status: io::Result<ExitStatus>, output: &Output) -> Death {
    // Its pipes are read by tasks of their own: let them come to the end.
    let mut said = output.end();
    for _ in 0..4 {
        tokio::time::sleep(LAST_WORDS / 20).await;
        let more = output.end();
        if more == said && !said.is_empty() {
            break;
        }
        said = more;
    }
    let status = match status {
        Ok(status) => status,
        Err(error) => return Death { how: format!("could not be waited for: {error}"), killed: false, said },
    };
    let how = match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was ended by signal {signal} ({})", signal_name(signal)),
        (None, code) => format!("exited with code {}", code.unwrap_or_default()),
    };
    Death { how, killed: status.signal() == Some(9), said }
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        24 => "SIGXCPU",
        _ => "unnamed",
    }
}

fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}
