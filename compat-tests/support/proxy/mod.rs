//! A proxy in front of a redis-server, in a thread of the test, that makes faults exact: it cuts a connection before,
//! after or within a given command or answer, lets one fall silent, delays a command or delivers it when its client has
//! long gone, refuses all, and counts what passes. Understands framing and nothing else; a client that subscribes or
//! turns replies off is beyond it.

mod plan;
mod relay;
mod resp;
mod stream;

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;

use super::redis::Redis;
pub use plan::{Fault, When};
use relay::Relay;
use stream::Listener;

/// A running proxy; its connections end with it.
pub struct Proxy {
    dir: TempDir,
    port: u16,
    relay: Arc<Relay>,
}

impl Proxy {
    /// On a unix socket.
    pub fn new(redis: &Redis) -> Proxy {
        let dir = tempfile::Builder::new().prefix("proxy-").tempdir().expect("a directory");
        let listener = UnixListener::bind(dir.path().join("redis.sock")).expect("a socket");
        Proxy::listen(redis, dir, Listener::Unix(listener), 0)
    }

    /// On a free TCP port of localhost.
    pub fn tcp(redis: &Redis) -> Proxy {
        let dir = tempfile::Builder::new().prefix("proxy-").tempdir().expect("a directory");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        Proxy::listen(redis, dir, Listener::Tcp(listener), port)
    }

    fn listen(redis: &Redis, dir: TempDir, listener: Listener, port: u16) -> Proxy {
        let relay = Arc::new(Relay::new(redis.socket()));
        let serving = relay.clone();
        std::thread::spawn(move || {
            while let Ok(client) = listener.accept() {
                let relay = serving.clone();
                if relay.plan().closed {
                    return;
                }
                std::thread::spawn(move || relay.serve(client));
            }
        });
        Proxy { dir, port, relay }
    }

    /// The unix socket, where it listens on one.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("redis.sock")
    }

    /// The TCP port, where it listens on one; else 0.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a database behind it.
    pub fn url(&self, db: u32) -> String {
        match self.port {
            0 => format!("redis+unix://{}?db={db}", self.socket().display()),
            port => format!("redis://127.0.0.1:{port}/{db}"),
        }
    }

    /// How many calls of a script with this marker in its text have passed.
    pub fn scripts(&self, marker: &str) -> usize {
        self.relay.plan().calls(marker)
    }

    /// Arms a fault; it fires once.
    pub fn arm(&self, when: When, fault: Fault) {
        self.relay.plan().arm(when, fault);
    }

    /// How many faults have fired.
    pub fn fired(&self) -> usize {
        self.relay.plan().fired
    }

    /// How often each command came by, by its name in capitals.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        self.relay.plan().counts.clone()
    }

    /// How many commands are held back to be delivered late.
    pub fn held(&self) -> usize {
        self.relay.late().len()
    }

    /// Sends the server what [`Fault::Late`] has held back so far, and waits until each command of it is carried out.
    pub fn deliver_late(&self) {
        self.relay.deliver_late();
    }

    /// Ends every open connection, the silent ones too: what they hold back is never delivered.
    pub fn cut_all(&self) {
        self.relay.open().drain(..).for_each(|stream| stream.cut());
    }

    /// Whether new connections are closed at once.
    pub fn refuse(&self, refusing: bool) {
        self.relay.plan().refusing = refusing;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.relay.plan().closed = true;
        self.cut_all();
        // One more connection, so that the accepting thread looks up and ends.
        let _ = match self.port {
            0 => UnixStream::connect(self.socket()).map(drop),
            port => TcpStream::connect(("127.0.0.1", port)).map(drop),
        };
    }
}
