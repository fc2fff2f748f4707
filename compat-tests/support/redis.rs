//! A redis-server of the test's own, on a unix socket in a directory of its own, gone with it. Never touches a Redis
//! that it did not start, never takes a fixed port.

use std::path::{Path, PathBuf};

use redis::{Commands, Connection};
use tempfile::TempDir;

use super::ports;
use super::process::{Running, command, wait_until};

/// A private redis-server.
pub struct Redis {
    dir: TempDir,
    args: Vec<String>,
    port: u16,
    server: Option<Running>,
}

impl Redis {
    /// Without persistence, on a unix socket only.
    pub fn start() -> Redis {
        Redis::start_with(&[])
    }

    /// With more of redis.conf's settings as arguments, such as `["--appendonly", "yes"]`.
    pub fn start_with(args: &[&str]) -> Redis {
        Redis::boot(args, 0)
    }

    /// On a free TCP port of localhost as well.
    pub fn start_tcp(args: &[&str]) -> Redis {
        Redis::boot(args, ports::free())
    }

    fn boot(args: &[&str], port: u16) -> Redis {
        let dir = tempfile::Builder::new().prefix("redis-").tempdir().expect("a directory");
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let mut redis = Redis { dir, args, port, server: None };
        redis.restart();
        redis
    }

    /// The unix socket.
    pub fn socket(&self) -> PathBuf {
        self.dir.path().join("redis.sock")
    }

    /// The TCP port, 0 if there is none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory where it keeps its files.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The address of a database in the form the `redis` crate and Handover read.
    pub fn url(&self, db: u32) -> String {
        format!("redis+unix://{}?db={db}", self.socket().display())
    }

    /// A new connection to a database.
    pub fn connect(&self, db: u32) -> Connection {
        self.try_connect(db).expect("the test's own Redis answers")
    }

    fn try_connect(&self, db: u32) -> redis::RedisResult<Connection> {
        redis::Client::open(self.url(db))?.get_connection()
    }

    /// Sends one command to database 0 and reads its answer.
    #[track_caller]
    pub fn query<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut request = redis::cmd(words[0]);
        request.arg(&words[1..]);
        request.query(&mut self.connect(0)).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Empties every database.
    pub fn flush(&self) {
        let () = self.query(&["FLUSHALL"]);
    }

    /// Kills the server as a crash would.
    pub fn kill(&mut self) {
        self.server = None;
    }

    /// Sends the server a signal ("STOP", "CONT").
    pub fn signal(&self, name: &str) {
        self.server.as_ref().expect("a running server").signal(name);
    }

    /// Starts the server again, on the same socket and port and with what it had saved.
    pub fn restart(&mut self) {
        self.restart_with(&[]);
    }

    /// The same with more settings, for this run.
    pub fn restart_with(&mut self, more: &[&str]) {
        self.kill();
        let _ = std::fs::remove_file(self.socket());
        let mut server = command("redis-server");
        server.args(["--save", "", "--daemonize", "no", "--unixsocketperm", "700", "--dir"]).arg(self.dir());
        server.arg("--unixsocket").arg(self.socket());
        server.args(["--port", &self.port.to_string()]).args(&self.args).args(more);
        let mut server = Running::start(server);
        wait_until("redis-server to answer", || {
            assert!(server.is_running(), "redis-server ended:\n{}{}", server.stdout(), server.stderr());
            let said = self.try_connect(0).and_then(|mut connection| connection.ping::<String>());
            // One that asks for a password is up as well.
            said.map_or_else(|error| error.code() == Some("NOAUTH"), |_| true)
        });
        self.server = Some(server);
    }
}
