//! The connections of a proxy: commands one way, answers the other, and what the plan wants done to them. Never decides
//! which command a fault is for.

use std::io::{self, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
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
}

/// A command the server has been sent, in the order of its answers.
struct Sent {
    words: Vec<Vec<u8>>,
    fault: Option<(When, Fault)>,
}

impl Relay {
    /// In front of the server at this unix socket.
    pub fn new(server: PathBuf) -> Relay {
        Relay { server, plan: Mutex::default(), open: Mutex::default() }
    }

    /// The plan and the counts.
    pub fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().expect("the plan")
    }

    /// The connections made so far.
    pub fn open(&self) -> MutexGuard<'_, Vec<Stream>> {
        self.open.lock().expect("the open connections")
    }

    /// One connection, until either end closes it or a fault does.
    pub fn serve(&self, client: Stream) {
        let server = UnixStream::connect(&self.server).map(Stream::Unix);
        match server {
            Ok(server) if !self.plan().refusing => {
                let _ = self.relay(&client, &server);
            }
            _ => client.cut(),
        }
    }

    fn relay(&self, client: &Stream, server: &Stream) -> io::Result<()> {
        self.open().extend([client.handle()?, server.handle()?]);
        let (sent, answered) = channel();
        let both = || {
            client.cut();
            server.cut();
        };
        thread::scope(|scope| {
            scope.spawn(move || {
                let _ = self.answers(server, client, &answered);
                both();
            });
            let result = self.commands(client, server, &sent);
            both();
            result
        })
    }

    fn commands(&self, client: &Stream, server: &Stream, sent: &Sender<Sent>) -> io::Result<()> {
        let (mut client, mut server) = (BufReader::new(client.handle()?), server.handle()?);
        while let Some(frame) = resp::read_frame(&mut client)? {
            let words = resp::words(&frame);
            let fault = self.plan().meet(&words);
            match &fault {
                Some((_, Fault::CutBefore)) => {
                    self.plan().fired += 1;
                    return Ok(());
                }
                Some((_, Fault::Delay(pause))) => {
                    self.plan().fired += 1;
                    thread::sleep(*pause);
                }
                _ => {}
            }
            let _ = sent.send(Sent { words, fault });
            server.write_all(&frame)?;
        }
        Ok(())
    }

    fn answers(&self, server: &Stream, client: &Stream, sent: &Receiver<Sent>) -> io::Result<()> {
        let (mut server, mut client) = (BufReader::new(server.handle()?), client.handle()?);
        while let Some(answer) = resp::read_frame(&mut server)? {
            // A pushed message (RESP 3) answers nothing.
            if answer[0] != b'>' {
                let Ok(Sent { words, fault }) = sent.recv() else { return Ok(()) };
                let mut plan = self.plan();
                plan.learn(&words, &answer);
                match fault {
                    // The client will load the script and come again.
                    Some((when, Fault::CutAfter)) if answer.starts_with(b"-NOSCRIPT") => {
                        plan.arm(when, Fault::CutAfter);
                    }
                    Some((_, Fault::CutAfter)) => {
                        plan.fired += 1;
                        return Ok(());
                    }
                    _ => {}
                }
            }
            client.write_all(&answer)?;
        }
        Ok(())
    }
}
