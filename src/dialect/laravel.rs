//! Laravel's wire: its keys and the scripts that move jobs between them, as data.
//!
//! Never does I/O. Counterpart in PHP: `Illuminate\Queue\RedisQueue::getQueue`, `Illuminate\Queue\LuaScripts`.

use std::collections::BTreeMap;

use super::wire::json_scripts;
use super::{Keys, Rules, Scripts};

/// How one Laravel app speaks to Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Laravel {
    /// The Redis connection's key prefix; may be empty.
    pub prefix: String,
    /// The framework's version, major and minor.
    pub version: (u32, u32),
    /// The connection is a cluster.
    pub cluster: bool,
    /// Queues whose keys are another's (13.26 on): looked up once, the job keeps the queue's own name.
    pub forwards: BTreeMap<String, String>,
}

impl Laravel {
    /// The newest version on a single Redis with this prefix.
    pub fn new(prefix: impl Into<String>) -> Self {
        Laravel { prefix: prefix.into(), version: (13, 26), cluster: false, forwards: BTreeMap::new() }
    }

    /// The keys of a queue. On a cluster, from 13.5 on, the name becomes a hash tag unless it holds one.
    pub fn keys(&self, queue: &str) -> Keys {
        let queue = self.forwards.get(queue).map_or(queue, String::as_str);
        let tag = self.cluster && self.version >= (13, 5) && !has_hash_tag(queue);
        let ready = match tag {
            true => format!("{}queues:{{{queue}}}", self.prefix),
            false => format!("{}queues:{queue}", self.prefix),
        };
        Keys { notify: Some(format!("{ready}:notify")), ..Keys::of(ready) }
    }

    /// True where the keys of this queue do not share a slot of the cluster, so that no script can reach them all.
    pub fn is_torn(&self, queue: &str) -> bool {
        self.cluster && !has_hash_tag(&self.keys(queue).ready)
    }

    /// The rules of this version.
    pub fn rules(&self) -> Rules {
        Rules::laravel(self.version)
    }
}

/// A `{`, and a `}` at least two characters after it.
pub(super) fn has_hash_tag(name: &str) -> bool {
    name.find('{').is_some_and(|open| name[open + 1..].find('}').is_some_and(|length| length > 0))
}

/// What runs in Redis.
pub const SCRIPTS: Scripts = json_scripts!("lua/laravel.lua");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_1_and_2_the_prefix_is_put_in_front_as_it_is() {
        assert_eq!(
            Laravel::new("laravel-database-").keys("default").ready,
            "laravel-database-queues:default"
        );
        let keys = Laravel::new("").keys("default");
        assert_eq!(keys.ready, "queues:default");
        assert_eq!(keys.reserved, "queues:default:reserved");
        assert_eq!(keys.delayed, "queues:default:delayed");
        assert_eq!(keys.notify.as_deref(), Some("queues:default:notify"));
    }

    #[test]
    fn a_forwarded_queue_has_the_keys_of_the_other_and_is_forwarded_once() {
        let pairs = [("old", "new"), ("new", "newest")].map(|(from, to)| (from.to_owned(), to.to_owned()));
        let laravel = Laravel { forwards: pairs.into(), ..Laravel::new("p_") };
        assert_eq!(laravel.keys("old").notify.as_deref(), Some("p_queues:new:notify"));
        assert_eq!(laravel.keys("other").ready, "p_queues:other");
    }

    #[test]
    fn rows_5_and_6_a_cluster_tags_the_name_once() {
        let cluster = Laravel { cluster: true, ..Laravel::new("") };
        assert_eq!(cluster.keys("default").reserved, "queues:{default}:reserved");
        assert_eq!(cluster.keys("{hi}").ready, "queues:{hi}");
        assert_eq!(cluster.keys("{}").ready, "queues:{{}}");
        let before = Laravel { version: (13, 4), ..cluster.clone() };
        assert_eq!(before.keys("default").ready, "queues:default");
        assert!(before.is_torn("default") && !before.is_torn("{default}") && !before.is_torn("a{b}"));
    }
}
