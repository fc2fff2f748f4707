//! A cluster: which node has which slot, learnt from the nodes and corrected by their redirections.
//!
//! Follows a redirection, for then nothing has happened; never sends again what may have. Counterpart in PHP:
//! `RedisCluster` of phpredis, `Predis\Connection\Cluster\RedisCluster`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use redis::{Value, cmd, from_redis_value};

use super::address::Node;
use super::error::Error;
use super::link::{Call, Link, Place};

/// Slots of a cluster.
const SLOTS: usize = 16384;
/// Redirections that one call follows.
const HOPS: usize = 5;

/// A cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    seeds: Vec<Node>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    links: HashMap<String, Arc<Link>>,
    /// The name of the node that has each slot; empty until a node was asked.
    owners: Vec<Option<String>>,
}

impl Cluster {
    pub(super) fn new(seeds: Vec<Node>) -> Self {
        Cluster { seeds, known: Mutex::default() }
    }

    /// Sends a call to the node that has this key.
    pub(super) async fn call(&self, key: &str, call: &Call<'_>) -> Result<Value, Error> {
        let mut link = self.link(key).await?;
        let mut asking = false;
        for _ in 0..HOPS {
            let error = match link.call(call, asking).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match error.redirection() {
                Some((host, port, for_once)) => {
                    let node = self.seeds[0].at(host, port);
                    link = self.link_to(&node);
                    asking = for_once;
                    if !for_once {
                        self.owns(slot(key), &node);
                    }
                }
                None => {
                    if error.is_about_this_node() {
                        // Its slots may be another's by now.
                        self.forget();
                    }
                    return Err(error);
                }
            }
        }
        self.forget();
        link.call(call, asking).await
    }

    /// The node that has this key.
    pub(super) async fn link(&self, key: &str) -> Result<Arc<Link>, Error> {
        let slot = slot(key);
        if let Some(link) = self.owner(slot) {
            return Ok(link);
        }
        self.learn().await?;
        // A slot that nobody has: any node says so, in Redis' own words.
        Ok(self.owner(slot).unwrap_or_else(|| self.link_to(&self.seeds[0])))
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().expect("nothing panics while it is held")
    }

    fn owner(&self, slot: usize) -> Option<Arc<Link>> {
        let known = self.known();
        let name = known.owners.get(slot)?.as_ref()?;
        known.links.get(name).cloned()
    }

    fn link_to(&self, node: &Node) -> Arc<Link> {
        let mut known = self.known();
        let link = known.links.entry(node.name());
        link.or_insert_with(|| Arc::new(Link::new(Place::Here(node.clone())))).clone()
    }

    fn owns(&self, slot: usize, node: &Node) {
        if let Some(owner) = self.known().owners.get_mut(slot) {
            *owner = Some(node.name());
        }
    }

    fn forget(&self) {
        self.known().owners.clear();
    }

    /// Asks one node after the other who has which slots.
    async fn learn(&self) -> Result<(), Error> {
        let mut candidates: Vec<Arc<Link>> = self.seeds.iter().map(|seed| self.link_to(seed)).collect();
        candidates.extend(self.known().links.values().cloned());
        let ask = cmd("CLUSTER").arg("SLOTS").to_owned();
        let mut last = None;
        for link in candidates {
            match link.call(&Call::Command(&ask), false).await {
                Ok(answer) => return self.read(answer),
                Err(error) => last = Some(error),
            }
        }
        Err(last.expect("an address names at least one node"))
    }

    /// CLUSTER SLOTS: first slot, last slot, the master as host and port, then its replicas.
    fn read(&self, answer: Value) -> Result<(), Error> {
        let ranges: Vec<Vec<Value>> = from_redis_value(answer).map_err(redis::RedisError::from)?;
        let mut owners = vec![None; SLOTS];
        for range in ranges {
            let [first, last, master, ..] = &range[..] else { continue };
            let number =
                |value: &Value| from_redis_value::<usize>(value.clone()).map_err(redis::RedisError::from);
            let master: Vec<Value> = from_redis_value(master.clone()).map_err(redis::RedisError::from)?;
            let host: Option<String> =
                from_redis_value(master[0].clone()).map_err(redis::RedisError::from)?;
            let node = self.seeds[0].at(host.as_deref().unwrap_or_default(), number(&master[1])? as u16);
            self.link_to(&node);
            owners[number(first)?..=number(last)?].fill(Some(node.name()));
        }
        self.known().owners = owners;
        Ok(())
    }
}

/// The slot of a key: of what stands between its first braces, if anything does.
pub(super) fn slot(key: &str) -> usize {
    let tagged = key.find('{').and_then(|open| {
        let rest = &key[open + 1..];
        rest.find('}').filter(|length| *length > 0).map(|length| &rest[..length])
    });
    usize::from(crc16(tagged.unwrap_or(key).as_bytes())) % SLOTS
}

/// CRC-16 of the XMODEM kind, as the cluster specification names it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(
            crc ^ u16::from(*byte) << 8,
            |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 },
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_slot_of_its_tag() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(slot("queues:{default}:reserved"), slot("default"));
        assert_eq!(slot("queues:{{}}"), slot("{"));
        assert_eq!(slot("a{}b"), usize::from(crc16(b"a{}b")) % SLOTS);
    }
}
