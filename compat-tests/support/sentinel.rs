//! A master, a replica of it and three sentinels that watch both: who is master, a failover by death or by order.
//! Never asserts; every step waits until it can be seen in the servers.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::ports;
use super::process::{Running, command, wait_until};
use super::redis::Redis;

/// After so many milliseconds of silence a master counts as down. A slow machine is silent for long, and a failover that
/// no test ordered would lose jobs: so only a master that has been killed is given up soon.
const PATIENT: &str = "600000";
const IMPATIENT: &str = "500";

/// The name under which the sentinels know the master.
pub const SERVICE: &str = "queue";

/// Two data nodes and their sentinels.
pub struct Sentinels {
    nodes: [Redis; 2],
    sentinels: Vec<Sentinel>,
    password: Option<String>,
}

struct Sentinel {
    port: u16,
    server: Option<Running>,
    /// Holds its configuration, which it rewrites.
    dir: TempDir,
}

impl Sentinels {
    /// A master and a replica that is in step with it; every sentinel knows both, and the other sentinels.
    pub fn start() -> Sentinels {
        Sentinels::boot(None)
    }

    /// The same with a password for the data nodes and another for the sentinels, which is `sentinel-` and the first.
    pub fn with_password(password: &str) -> Sentinels {
        Sentinels::boot(Some(password.to_owned()))
    }

    fn boot(password: Option<String>) -> Sentinels {
        let mut args = vec!["--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0"];
        if let Some(password) = &password {
            args.extend(["--requirepass", password, "--masterauth", password]);
        }
        let master = Redis::start_tcp(&args);
        let of = format!("127.0.0.1 {}", master.port());
        let replica = Redis::start_tcp(&[&args[..], &["--replicaof", &of]].concat());
        let mut all = Sentinels { nodes: [master, replica], sentinels: Vec::new(), password };
        wait_until("the replica to be in step", || all.in_step(1));
        all.sentinels = (0..3).map(|_| all.sentinel()).collect();
        wait_until("the sentinels to know each other", || (0..3).all(|index| all.knows_all(index)));
        all
    }

    fn sentinel(&self) -> Sentinel {
        let dir = tempfile::Builder::new().prefix("sentinel-").tempdir().expect("a directory");
        let port = ports::free();
        let mut lines = vec![
            format!("port {port}"),
            "bind 127.0.0.1".to_owned(),
            format!("dir {}", dir.path().display()),
            format!("sentinel monitor {SERVICE} 127.0.0.1 {} 2", self.nodes[0].port()),
            format!("sentinel down-after-milliseconds {SERVICE} {PATIENT}"),
            format!("sentinel failover-timeout {SERVICE} 3000"),
        ];
        if let Some(password) = &self.password {
            lines.push(format!("sentinel auth-pass {SERVICE} {password}"));
            lines.push(format!("requirepass sentinel-{password}"));
            lines.push(format!("sentinel sentinel-pass sentinel-{password}"));
        }
        fs::write(dir.path().join("sentinel.conf"), lines.join("\n") + "\n").expect("a file");
        let server = Some(run(dir.path()));
        Sentinel { port, server, dir }
    }

    /// The address for Handover: `redis+sentinel://host:port,host:port,host:port/queue/db`.
    pub fn url(&self, db: u32) -> String {
        let user = self.password.as_ref().map_or(String::new(), |password| format!(":{password}@"));
        let hosts: Vec<String> =
            self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect();
        let query = self
            .password
            .as_ref()
            .map_or(String::new(), |password| format!("?sentinel_password=sentinel-{password}"));
        format!("redis+sentinel://{user}{}/{SERVICE}/{db}{query}", hosts.join(","))
    }

    /// Which data node two sentinels at least call the master, once it says so itself; 0 or 1.
    pub fn master(&self) -> Option<usize> {
        let named: Vec<u16> = (0..3).filter_map(|index| self.master_by(index)).collect();
        let is_master = |index: &usize| {
            let port = self.nodes[*index].port();
            let votes = named.iter().filter(|named| **named == port).count();
            votes >= 2 && self.role(*index).as_deref() == Some("master")
        };
        (0..self.nodes.len()).find(is_master)
    }

    /// One of the two data nodes.
    pub fn node(&self, index: usize) -> &Redis {
        &self.nodes[index]
    }

    /// What a data node says it is: `master` or `slave`; nothing while it is down.
    pub fn role(&self, index: usize) -> Option<String> {
        let mut connection = self.connect(index)?;
        let role: Vec<redis::Value> = redis::cmd("ROLE").query(&mut connection).ok()?;
        redis::from_redis_value(role.into_iter().next()?).ok()
    }

    /// A connection to a data node, logged in; nothing while it is down.
    pub fn connect(&self, index: usize) -> Option<redis::Connection> {
        let client = redis::Client::open(self.nodes[index].url(0)).expect("an address");
        let mut connection = client.get_connection().ok()?;
        if let Some(password) = &self.password {
            let () = redis::cmd("AUTH").arg(password).query(&mut connection).ok()?;
        }
        Some(connection)
    }

    /// Kills a data node as a crash would; the sentinels soon call it down.
    pub fn kill(&mut self, index: usize) {
        self.nodes[index].kill();
        self.give_up_after(IMPATIENT);
    }

    /// Starts a killed data node again, as a replica of the other one: it has kept nothing.
    pub fn restart(&mut self, index: usize) {
        let of = format!("127.0.0.1 {}", self.nodes[1 - index].port());
        self.nodes[index].restart_with(&["--replicaof", &of]);
    }

    /// Kills one of the three sentinels.
    pub fn kill_sentinel(&mut self, index: usize) {
        self.sentinels[index].server = None;
    }

    /// Starts it again with what it knew.
    pub fn restart_sentinel(&mut self, index: usize) {
        let sentinel = &mut self.sentinels[index];
        sentinel.server = Some(run(sentinel.dir.path()));
        wait_until("the sentinel to answer", || self.knows_all(index));
    }

    /// Orders a failover: the replica becomes the master, and some ten seconds later the old master its replica. Until
    /// then both take writes, and what the old one was told is lost.
    pub fn failover(&self) {
        // A sentinel refuses while it has not seen the replica for a while, or is at a failover already.
        wait_until("a sentinel to start a failover", || {
            self.ask::<String>(0, &["SENTINEL", "FAILOVER", SERVICE]).is_some_and(|answer| answer == "OK")
        });
    }

    /// Waits until this data node is the master.
    #[track_caller]
    pub fn wait_for_master(&self, index: usize) {
        wait_until("the sentinels to agree on the new master", || self.master() == Some(index));
        self.give_up_after(PATIENT);
    }

    fn give_up_after(&self, milliseconds: &str) {
        for index in (0..3).filter(|index| self.sentinels[*index].server.is_some()) {
            let words = ["SENTINEL", "SET", SERVICE, "down-after-milliseconds", milliseconds];
            wait_until("a sentinel to take it", || self.ask::<String>(index, &words).is_some());
        }
    }

    /// Whether this data node is a replica that has all its master has.
    pub fn in_step(&self, index: usize) -> bool {
        let info = |index| -> Option<String> {
            redis::cmd("INFO").arg("replication").query(&mut self.connect(index)?).ok()
        };
        let (Some(own), Some(others)) = (info(index), info(1 - index)) else { return false };
        let up = field(&own, "role") == Some("slave") && field(&own, "master_link_status") == Some("up");
        up && field(&own, "slave_repl_offset") == field(&others, "master_repl_offset")
    }

    fn master_by(&self, index: usize) -> Option<u16> {
        let address: (String, u16) = self.ask(index, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE])?;
        Some(address.1)
    }

    fn knows_all(&self, index: usize) -> bool {
        let words = ["SENTINEL", "MASTER", SERVICE];
        let Some(facts) = self.ask::<std::collections::HashMap<String, String>>(index, &words) else {
            return false;
        };
        let is = |name: &str, value: &str| facts.get(name).is_some_and(|found| found == value);
        is("num-slaves", "1") && is("num-other-sentinels", "2") && is("flags", "master")
    }

    fn ask<T: redis::FromRedisValue>(&self, index: usize, words: &[&str]) -> Option<T> {
        let client = redis::Client::open(("127.0.0.1", self.sentinels[index].port)).expect("an address");
        let mut connection = client.get_connection().ok()?;
        if let Some(password) = &self.password {
            let password = format!("sentinel-{password}");
            let () = redis::cmd("AUTH").arg(password).query(&mut connection).ok()?;
        }
        redis::cmd(words[0]).arg(&words[1..]).query(&mut connection).ok()
    }
}

fn run(dir: &Path) -> Running {
    let mut server = command("redis-server");
    server.arg(dir.join("sentinel.conf")).arg("--sentinel");
    Running::start(server)
}

/// A field of INFO.
pub fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}
