//! A cluster of three masters, each on a port of localhost and on a unix socket where the test asks it: who owns a slot,
//! and a slot's move in steps, so that a test can act in between. Never asserts.

use std::time::Duration;

use redis::{Connection, FromRedisValue};

use super::ports;
use super::process::wait_until;
use super::redis::Redis;

const SLOTS: u16 = 16_384;

/// Three masters.
pub struct Cluster {
    nodes: Vec<Redis>,
}

impl Cluster {
    /// Three nodes that own a third of the slots each and agree on it. A node that is away takes only its own slots
    /// with it.
    pub fn start() -> Cluster {
        let cluster = Cluster { nodes: (0..3_u16).map(node).collect() };
        for node in &cluster.nodes {
            for other in &cluster.nodes {
                let bus: Vec<String> = other.query(&["CONFIG", "GET", "cluster-port"]);
                let (port, bus) = (other.port().to_string(), &bus[1]);
                let () = node.query(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]);
            }
        }
        wait_until("the cluster to agree", || cluster.agrees());
        cluster
    }

    /// The address for Handover: `redis+cluster://host:port,host:port,host:port`.
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// One of the three nodes.
    pub fn node(&self, index: usize) -> &Redis {
        &self.nodes[index]
    }

    /// One of the three nodes, to be killed and started again.
    pub fn node_mut(&mut self, index: usize) -> &mut Redis {
        &mut self.nodes[index]
    }

    /// The slot of a key.
    pub fn slot(&self, key: &str) -> u16 {
        self.nodes[0].query(&["CLUSTER", "KEYSLOT", key])
    }

    /// Which node owns a slot, as all of them see it; nothing while they do not agree.
    pub fn owner(&self, slot: u16) -> Option<usize> {
        let seen: Option<Vec<u16>> = self.nodes.iter().map(|node| owner_as_seen_by(node, slot)).collect();
        let (first, others) = seen.as_ref()?.split_first()?;
        let agreed = others.iter().all(|port| port == first);
        self.nodes.iter().position(|node| agreed && node.port() == *first)
    }

    /// A connection to the node that owns the slot of this key.
    pub fn connect_for(&self, key: &str) -> Connection {
        let owner = self.owner(self.slot(key)).expect("the nodes agree");
        self.nodes[owner].connect(0)
    }

    /// Sends a command to the node that owns the slot of its first key.
    #[track_caller]
    pub fn query<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut self.connect_for(words[1])).unwrap_or_else(|error| panic!("{words:?}: {error}"))
    }

    /// Begins to move a slot: from now on its owner sends those who ask for a key that it does not have to the other.
    pub fn begin_move(&self, slot: u16, to: usize) -> Move<'_> {
        let from = self.owner(slot).expect("the nodes agree");
        let number = slot.to_string();
        let id = |index: usize| -> String { self.nodes[index].query(&["CLUSTER", "MYID"]) };
        let (giver, taker) = (&self.nodes[from], &self.nodes[to]);
        let () = taker.query(&["CLUSTER", "SETSLOT", &number, "IMPORTING", &id(from)]);
        let () = giver.query(&["CLUSTER", "SETSLOT", &number, "MIGRATING", &id(to)]);
        Move { cluster: self, slot, from, to }
    }

    fn agrees(&self) -> bool {
        self.nodes.iter().all(|node| {
            let info: String = node.query(&["CLUSTER", "INFO"]);
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3")
        }) && (0..3).all(|index| self.owner(first_slot(index)) == Some(usize::from(index)))
    }
}

/// A slot on its way from one node to another.
pub struct Move<'a> {
    cluster: &'a Cluster,
    slot: u16,
    from: usize,
    to: usize,
}

impl Move<'_> {
    /// Moves so many keys of the slot; answers how many are left.
    pub fn keys(&self, count: usize) -> usize {
        let giver = &self.cluster.nodes[self.from];
        let slot = self.slot.to_string();
        let keys: Vec<String> = giver.query(&["CLUSTER", "GETKEYSINSLOT", &slot, &count.to_string()]);
        let port = self.cluster.nodes[self.to].port().to_string();
        if !keys.is_empty() {
            let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "60000", "KEYS"];
            words.extend(keys.iter().map(String::as_str));
            let () = giver.query(&words);
        }
        giver.query(&["CLUSTER", "COUNTKEYSINSLOT", &slot])
    }

    /// Moves what is left and gives the slot to its new node; returns once all nodes know.
    pub fn finish(self) {
        while self.keys(100) > 0 {}
        let (slot, nodes) = (self.slot.to_string(), &self.cluster.nodes);
        let id: String = nodes[self.to].query(&["CLUSTER", "MYID"]);
        // The new owner first, so that the slot is somebody's at any time.
        let others = (0..nodes.len()).filter(|index| *index != self.to);
        for index in std::iter::once(self.to).chain(others) {
            let () = nodes[index].query(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]);
        }
        wait_until("the nodes to agree", || self.cluster.owner(self.slot) == Some(self.to));
    }
}

/// The first slot that this node owns at the start.
fn first_slot(index: u16) -> u16 {
    // The thirds that redis-cli would deal out, too.
    [0, 5461, 10_923][usize::from(index)]
}

fn node(index: u16) -> Redis {
    let bus = ports::free().to_string();
    let args = [
        "--bind",
        "127.0.0.1",
        "--cluster-enabled",
        "yes",
        "--cluster-port",
        &bus,
        "--cluster-node-timeout",
        "2000",
        "--cluster-require-full-coverage",
        "no",
    ];
    let node = Redis::start_tcp(&args);
    let last = if index == 2 { SLOTS } else { first_slot(index + 1) } - 1;
    let (first, last) = (first_slot(index).to_string(), last.to_string());
    let () = node.query(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]);
    let () = node.query(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
    node
}

/// The port of the slot's owner as this node sees it; nothing while it does not answer.
fn owner_as_seen_by(node: &Redis, slot: u16) -> Option<u16> {
    type Master = (String, u16, String, redis::Value);
    let mut connection = redis::Client::open(node.url(0)).ok()?.get_connection().ok()?;
    // A node that was stopped takes connections and says nothing.
    connection.set_read_timeout(Some(Duration::from_secs(1))).ok()?;
    let ranges = redis::cmd("CLUSTER").arg("SLOTS").query::<Vec<(u16, u16, Master)>>(&mut connection);
    let owned = ranges.ok()?.into_iter().find(|(first, last, _)| (*first..=*last).contains(&slot));
    owned.map(|(_, _, (_, port, ..))| port)
}
