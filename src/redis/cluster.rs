//! A cluster: which node has which slot, learnt from the nodes and corrected by their redirections.
//!
//! Follows a redirection, for then nothing has happened; never sends again what may have. Counterpart in PHP:
//! `RedisCluster` of phpredis, `Predis\Connection\Cluster\RedisCluster`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use redis::{Value, cmd, from_redis_value};

use super::address::Node;
use super::error::{Error, timed_out};
use super::link::{ASK, Call, Link, Place};

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
                    // Without a host it is the one that says so.
                    let node = link.node().unwrap_or(&self.seeds[0]).at(host, port);
                    link = self.link_to(&node);
                    asking = for_once;
                    if !for_once {
                        self.owns(slot(key), &node);
                    }
                }
                None => {
                    if error.is_about_this_node() {
                        // Its slots may be another's by now.
                        self.forget(&link);
                    }
                    return Err(error);
                }
            }
        }
        self.forget(&link);
        link.call(call, asking).await
    }

    /// The node that has this key.
    pub(super) async fn link(&self, key: &str) -> Result<Arc<Link>, Error> {
        let slot = slot(key);
        if let Some(link) = self.owner(slot) {
            return Ok(link);
        }
        self.learn(slot).await?;
        // A slot that nobody has: any node says so, in Redis' own words.
        Ok(self.owner(slot).unwrap_or_else(|| self.link_to(&self.seeds[0])))
    }

    /// True where one node has both keys, as far as is known.
    pub(super) fn share_a_node(&self, key: &str, other: &str) -> bool {
        let known = self.known();
        let owner = |key| known.owners.get(slot(key)).cloned().flatten();
        owner(key).is_some() && owner(key) == owner(other) || slot(key) == slot(other)
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

    /// This node may have nothing any more.
    fn forget(&self, link: &Link) {
        let name = link.node().map(Node::name);
        let mut known = self.known();
        known.owners.iter_mut().filter(|owner| **owner == name).for_each(|owner| *owner = None);
    }

    /// Asks one node after the other who has which slots, until one knows who has this slot: those that have slots
    /// before those that are named in the address, for the last may have left the cluster.
    async fn learn(&self, slot: usize) -> Result<(), Error> {
        let mut candidates: Vec<Arc<Link>> = {
            let known = self.known();
            let has_slots = |name: &String| known.owners.iter().flatten().any(|owner| owner == name);
            let mut links: Vec<_> = known.links.iter().collect();
            links.sort_by_key(|(name, _)| !has_slots(name));
            links.into_iter().map(|(_, link)| link.clone()).collect()
        };
        candidates.extend(self.seeds.iter().map(|seed| self.link_to(seed)));
        let ask = cmd("CLUSTER").arg("SLOTS").to_owned();
        let mut last = None;
        for link in candidates {
            match tokio::time::timeout(ASK, link.call(&Call::Command(&ask), false)).await {
                Ok(Ok(answer)) => {
                    self.read(answer, link.node().unwrap_or(&self.seeds[0]))?;
                    if self.owner(slot).is_some() {
                        return Ok(());
                    }
                }
                Ok(Err(error)) => last = Some(error),
                Err(_) => last = Some(Error::never_sent(timed_out())),
            }
        }
        // Somebody answered: nobody has it.
        last.filter(|_| self.known().owners.is_empty()).map_or(Ok(()), Err)
    }

    /// CLUSTER SLOTS: first slot, last slot, the master as host and port, then its replicas.
    fn read(&self, answer: Value, from: &Node) -> Result<(), Error> {
        let ranges: Vec<Vec<Value>> = from_redis_value(answer).map_err(redis::RedisError::from)?;
        let mut owners = vec![None; SLOTS];
        for range in ranges {
            let [first, last, master, ..] = &range[..] else { continue };
            let number =
                |value: &Value| from_redis_value::<usize>(value.clone()).map_err(redis::RedisError::from);
            let master: Vec<Value> = from_redis_value(master.clone()).map_err(redis::RedisError::from)?;
            let host: Option<String> =
                from_redis_value(master[0].clone()).map_err(redis::RedisError::from)?;
            // Without a host it is the one that says so.
            let node = from.at(host.as_deref().unwrap_or_default(), number(&master[1])? as u16);
            self.link_to(&node);
            owners[number(first)?..=number(last)?].fill(Some(node.name()));
        }
        if owners.iter().any(Option::is_some) {
            let mut known = self.known();
            known.links.retain(|name, _| owners.iter().flatten().any(|owner| owner == name));
            known.owners = owners;
        }
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
