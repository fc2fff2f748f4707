//! The connections of a proxy: commands one way, answers the other, and what the plan wants done to them. Never decides
//! which command a fault is for.

use std::io::{self, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard};
use std::thread;

use super::plan::{Fault, Plan, When};
use super::resp;
use super::stream::Stream;

/// Everything the connections share.
pub struct Relay {
    server: PathBuf,
    plan: Mutex<Plan>,
    open: Mutex<Vec<Stream>>,
    late: Mutex<Vec<Held>>,
}

/// One connection: its two ends, and how far they still know of each other.
struct Link {
    client: Stream,
    server: Stream,
    /// The client hears nothing any more; nor does the server hear that the client has left.
    silent: AtomicBool,
}

/// A command the server has been sent, or will be, in the order of its answers.
struct Sent {
    words: Vec<Vec<u8>>,
    fault: Option<(When, Fault)>,
    /// Told when a late one is carried out.
    late: Option<Sender<()>>,
}

/// A command that is held back.
pub struct Held {
    server: Stream,
    frame: Vec<u8>,
    carried_out: Receiver<()>,
}

/// What becomes of a connection when one of its directions has ended.
#[derive(PartialEq)]
enum End {
    Cut,
    /// Neither end is told.
    Untold,
}

impl Relay {
    /// In front of the server at this unix socket.
    pub fn new(server: PathBuf) -> Relay {
        Relay { server, plan: Mutex::default(), open: Mutex::default(), late: Mutex::default() }
    }

    /// The plan and the counts.
    pub fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().expect("the plan")
    }

    /// The connections made so far.
    pub fn open(&self) -> MutexGuard<'_, Vec<Stream>> {
        self.open.lock().expect("the open connections")
    }

    /// What is held back, in the order in which it came.
    pub fn late(&self) -> MutexGuard<'_, Vec<Held>> {
        self.late.lock().expect("what is held back")
    }

    /// Sends what is held back, one command after the other, each once the server is done with the one before.
    pub fn deliver_late(&self) {
        let held = std::mem::take(&mut *self.late());
        for Held { mut server, frame, carried_out } in held {
            if server.write_all(&frame).is_ok() {
                // An error is the end of the connection: then nobody will ever know.
                let _ = carried_out.recv();
            }
        }
    }

    /// One connection, until either end closes it or a fault does.
    pub fn serve(&self, client: Stream) {
        let server = UnixStream::connect(&self.server).map(Stream::Unix);
        match server {
            Ok(server) if !self.plan().refusing => {
                let _ = self.relay(&Link { client, server, silent: AtomicBool::new(false) });
            }
            _ => client.cut(),
        }
    }

    fn relay(&self, link: &Link) -> io::Result<()> {
        self.open().extend([link.client.handle()?, link.server.handle()?]);
        let (sent, answered) = channel();
        thread::scope(|scope| {
            scope.spawn(move || {
                let _ = self.answers(link, &answered);
                link.cut();
            });
            // An error is an end, too: the client's own, or one that the server has made.
            if self.commands(link, &sent).unwrap_or(link.end()) == End::Cut {
                link.cut();
            }
        });
        Ok(())
    }

    fn commands(&self, link: &Link, sent: &Sender<Sent>) -> io::Result<End> {
        let (mut client, mut server) = (BufReader::new(link.client.handle()?), link.server.handle()?);
        while let Some(frame) = resp::read_frame(&mut client)? {
            let words = resp::words(&frame);
            let fault = self.plan().meet(&words);
            match fault.as_ref().map(|(_, fault)| *fault) {
                Some(Fault::CutBefore) => {
                    self.plan().fired += 1;
                    return Ok(End::Cut);
                }
                Some(Fault::TruncateCommand) => {
                    server.write_all(first_half(&frame))?;
                    self.plan().fired += 1;
                    return Ok(End::Cut);
                }
                Some(Fault::HalfOpenBefore) => {
                    link.silent.store(true, Ordering::SeqCst);
                    self.plan().fired += 1;
                    io::copy(&mut client, &mut io::sink())?;
                    return Ok(End::Untold);
                }
                Some(Fault::Late) => {
                    link.silent.store(true, Ordering::SeqCst);
                    self.plan().fired += 1;
                    self.hold(link, frame, sent)?;
                    while let Some(frame) = resp::read_frame(&mut client)? {
                        self.hold(link, frame, sent)?;
                    }
                    return Ok(End::Untold);
                }
                Some(Fault::Delay(pause)) => {
                    self.plan().fired += 1;
                    thread::sleep(pause);
                }
                // Before the command goes: a client that leaves at once must not be seen to leave.
                Some(Fault::HalfOpenAfter) => link.silent.store(true, Ordering::SeqCst),
                Some(Fault::CutAfter | Fault::TruncateAnswer) | None => {}
            }
            let _ = sent.send(Sent { words, fault, late: None });
            server.write_all(&frame)?;
        }
        Ok(link.end())
    }

    fn hold(&self, link: &Link, frame: Vec<u8>, sent: &Sender<Sent>) -> io::Result<()> {
        let (late, carried_out) = channel();
        let _ = sent.send(Sent { words: resp::words(&frame), fault: None, late: Some(late) });
        let held = Held { server: link.server.handle()?, frame, carried_out };
        self.late().push(held);
        Ok(())
    }

    fn answers(&self, link: &Link, sent: &Receiver<Sent>) -> io::Result<()> {
        let (mut server, mut client) = (BufReader::new(link.server.handle()?), link.client.handle()?);
        let mut swallowing = false;
        while let Some(answer) = resp::read_frame(&mut server)? {
            // A pushed message (RESP 3) answers nothing.
            if answer[0] != b'>' {
                let Ok(Sent { words, fault, late }) = sent.recv() else { return Ok(()) };
                if let Some(late) = late {
                    let _ = late.send(());
                    continue;
                }
                let mut plan = self.plan();
                plan.learn(&words, &answer);
                match fault {
                    // The client will load the script and come again.
                    Some((when, fault))
                        if fault.is_about_the_answer() && answer.starts_with(b"-NOSCRIPT") =>
                    {
                        link.silent.store(false, Ordering::SeqCst);
                        plan.arm(when, fault);
                    }
                    Some((_, Fault::CutAfter)) => {
                        plan.fired += 1;
                        return Ok(());
                    }
                    Some((_, Fault::TruncateAnswer)) => {
                        client.write_all(first_half(&answer))?;
                        plan.fired += 1;
                        return Ok(());
                    }
                    Some((_, Fault::HalfOpenAfter)) => {
                        plan.fired += 1;
                        swallowing = true;
                    }
                    _ => {}
                }
            }
            if !swallowing {
                client.write_all(&answer)?;
            }
        }
        Ok(())
    }
}

impl Link {
    fn cut(&self) {
        self.client.cut();
        self.server.cut();
    }

    /// The client has left: the server hears of it, unless the connection is silent.
    fn end(&self) -> End {
        if self.silent.load(Ordering::SeqCst) { End::Untold } else { End::Cut }
    }
}

fn first_half(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len() / 2]
}
