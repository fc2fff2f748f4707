//! What is wrong with what was seen: a rule each, pure.
//!
//! Says only what is known. Counterpart in PHP: none.

use std::collections::BTreeSet;

use super::seen::Seen;
use crate::dialect::Dialect;

/// Seconds of skew that whole-second scores bear.
const SKEW: f64 = 1.0;
/// Tokens beyond the ready jobs that a busy moment may leave.
const TOKENS: u64 = 100;

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is and what to do.
    pub sentence: String,
    /// True where it is wrong; else it is only to be known.
    pub is_wrong: bool,
}

impl Finding {
    pub(super) fn wrong(sentence: String) -> Self {
        Finding { sentence, is_wrong: true }
    }

    pub(super) fn note(sentence: String) -> Self {
        Finding { sentence, is_wrong: false }
    }
}

pub(super) fn judge(seen: &Seen) -> Vec<Finding> {
    let wrong = [version(seen), eviction(seen), skew(seen), prefix(seen)];
    let mut findings: Vec<Finding> = wrong.into_iter().flatten().map(Finding::wrong).collect();
    findings.extend(hash_tags(seen).into_iter().chain(tokens(seen)).map(Finding::wrong));
    findings.extend(consumers(seen).into_iter().chain(seen.refused.iter().cloned()).map(Finding::note));
    findings
}

fn version(seen: &Seen) -> Option<String> {
    let version = &seen.version;
    let major: u32 = version.split('.').next()?.parse().ok()?;
    (major < 6).then(|| {
        format!(
            "This is Redis {version}; Handover is made for 6 and later, and for Valkey. Upgrade the server."
        )
    })
}

fn eviction(seen: &Seen) -> Option<String> {
    let policy = &seen.policy;
    if seen.maxmemory == 0 || policy == "noeviction" || policy.is_empty() {
        return None;
    }
    let drops = if policy.starts_with("volatile-") {
        "keys that expire, such as the locks of unique jobs; queues themselves do not expire"
    } else {
        "whole queues, with every job in them"
    };
    Some(format!(
        "maxmemory is set and maxmemory-policy is {policy}: a full Redis drops {drops}. Give the queue a Redis of its own \
         with `maxmemory-policy noeviction`."
    ))
}

fn skew(seen: &Seen) -> Option<String> {
    let (by, way) = (seen.skew.abs(), if seen.skew > 0.0 { "behind" } else { "ahead of" });
    (by > SKEW).then(|| {
        format!(
            "This machine's clock is {by:.1} s {way} Redis': delays and reservations are times of whoever writes them, so \
             machines that differ run jobs late, or twice. Keep every machine's clock with NTP."
        )
    })
}

fn prefix(seen: &Seen) -> Option<String> {
    // think-queue has no prefix that could be wrong, and any key may be a channel of Hyperf's.
    let Dialect::Laravel(_) = seen.dialect else { return None };
    let own = format!("{}queues:", seen.prefix);
    if !seen.single || seen.keys.iter().any(|key| key.starts_with(&own)) {
        return None;
    }
    // Without jobs there are no keys; a scan that was cut short proves nothing.
    let others: BTreeSet<&str> =
        seen.keys.iter().filter_map(|key| key.split_once("queues:")).map(|(prefix, _)| prefix).collect();
    let named: Vec<String> = others.iter().take(3).map(|prefix| format!("[{prefix}]")).collect();
    (seen.scanned_all && !others.is_empty()).then(|| {
        format!(
            "No key begins with [{own}], but there are queues under the prefix {}. If the app pushes there, this worker \
             looks in the wrong place: set the prefix (REDIS_PREFIX, or --prefix) to the app's, or mind the database's \
             number.",
            named.join(", ")
        )
    })
}

/// A key under the prefix without what says which state it is of.
fn stem<'a>(key: &'a str, prefix: &str) -> Option<&'a str> {
    let key = key.strip_prefix(prefix)?;
    let suffixes = [":delayed", ":reserved", ":notify", ":quarantine"];
    Some(suffixes.iter().find_map(|suffix| key.strip_suffix(suffix)).unwrap_or(key))
}

/// The queue of a key of Laravel's.
fn queue<'a>(key: &'a str, prefix: &str) -> Option<&'a str> {
    stem(key, prefix)?.strip_prefix("queues:")
}

fn hash_tags(seen: &Seen) -> Vec<String> {
    match seen.dialect {
        Dialect::Laravel(_) => laravel_hash_tags(seen),
        Dialect::Think(_) => think_hash_tags(seen),
        // A channel is worked under its very name.
        Dialect::Hyperf(_) => Vec::new(),
    }
}

/// Since 3.0.5 think-queue puts `queues:` and the name in braces; what is under the name without is another queue.
fn think_hash_tags(seen: &Seen) -> Vec<String> {
    let stems: BTreeSet<&str> = seen.keys.iter().filter_map(|key| stem(key, &seen.prefix)).collect();
    let bare = stems.iter().filter(|stem| stem.starts_with("queues:"));
    let both = bare.filter(|stem| stems.contains(format!("{{{stem}}}").as_str()));
    both.take(5)
        .map(|stem| {
            format!(
                "There are keys of both [{stem}] and [{{{stem}}}]: think-queue puts them in braces from 3.0.5 on, and a worker \
                 of either kind does not see the other's jobs. Bring every process to one version, and work the queue with \
                 --dialect-version=3.0.4 (or that of the older think-queue) until the one without braces is empty."
            )
        })
        .collect()
}

fn laravel_hash_tags(seen: &Seen) -> Vec<String> {
    let queues: BTreeSet<&str> = seen.keys.iter().filter_map(|key| queue(key, &seen.prefix)).collect();
    let both = queues.iter().filter(|name| queues.contains(format!("{{{name}}}").as_str()));
    both.take(5)
        .map(|name| {
            format!(
                "There are keys of both [queues:{name}] and [queues:{{{name}}}]: some processes put the name in braces \
                 (Laravel 13.5 on does so on a cluster) and others do not, and neither sees the other's jobs. Bring all \
                 to one Laravel version or one queue name, and work both names until the old one is empty."
            )
        })
        .collect()
}

fn tokens(seen: &Seen) -> Vec<String> {
    let grown = seen.queues.iter().filter(|(_, ready, tokens, _)| *tokens > ready.saturating_mul(2) + TOKENS);
    grown
        .map(|(queue, ready, tokens, key)| {
            format!(
                "The queue [{queue}] has {tokens} wake-up tokens for {ready} ready jobs: something takes its jobs and not \
                 their tokens, as workers before Laravel 5.8.5 do. Stop that consumer, then delete the key [{key}]."
            )
        })
        .collect()
}

fn consumers(seen: &Seen) -> Vec<String> {
    let mut told = Vec::new();
    if !seen.waiting.is_empty() {
        let count = seen.waiting.len();
        let named = seen.waiting.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
        told.push(format!(
            "{count} other client(s) wait for list elements in this database ({named}). PHP workers with block_for share \
             queues with Handover safely; anything else that takes jobs loses them. CLIENT LIST tells who they are."
        ));
    }
    if !seen.supervisors.is_empty() {
        told.push(format!(
            "Horizon is at work here ({}). It shares queues with Handover safely; its dashboard does not show Handover's \
             processes, and its balancing does not count them.",
            seen.supervisors.join(", ")
        ));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Think;

    fn sound() -> Seen {
        let keys = ["p_queues:default", "p_queues:default:notify", "p_queues:{other}:reserved"];
        Seen {
            version: "7.0.15".into(),
            policy: "noeviction".into(),
            maxmemory: 1 << 30,
            prefix: "p_".into(),
            keys: keys.map(str::to_owned).into(),
            scanned_all: true,
            single: true,
            queues: vec![("default".into(), 5, 5, "p_queues:default:notify".into())],
            ..Seen::default()
        }
    }

    #[test]
    fn a_sound_redis_gives_no_finding() {
        assert_eq!(judge(&sound()), []);
        assert_eq!(judge(&Seen { keys: BTreeSet::new(), ..sound() }), []);
        assert_eq!(judge(&Seen { policy: "allkeys-lru".into(), maxmemory: 0, ..sound() }), []);
        assert_eq!(judge(&Seen { skew: -0.9, ..sound() }), []);
    }

    #[test]
    fn think_queue_s_braces_are_no_prefix_and_its_older_keys_are_told() {
        let of = |keys: &[&str]| Seen {
            dialect: Dialect::Think(Think::new("")),
            prefix: String::new(),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            queues: vec![("default".into(), 5, 5, String::new())],
            ..sound()
        };
        assert_eq!(judge(&of(&["{queues:default}", "{queues:default}:reserved", "shop_queues:x"])), []);
        let both = judge(&of(&["{queues:default}:delayed", "queues:default:reserved", "queues:other"]));
        let [finding] = &both[..] else { panic!("{both:?}") };
        assert!(finding.sentence.contains("both [queues:default] and [{queues:default}]"), "{finding:?}");
    }

    #[test]
    fn each_rule_has_one_finding() {
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<BTreeSet<_>>();
        let queue =
            |ready, tokens| vec![("default".to_owned(), ready, tokens, "p_queues:default:notify".to_owned())];
        for (seen, told) in [
            (Seen { version: "5.0.7".into(), ..sound() }, "Redis 5.0.7"),
            (Seen { policy: "allkeys-lru".into(), ..sound() }, "drops whole queues"),
            (Seen { policy: "volatile-ttl".into(), ..sound() }, "locks of unique jobs"),
            (Seen { skew: 2.5, ..sound() }, "2.5 s behind Redis'"),
            (Seen { skew: -90.0, ..sound() }, "90.0 s ahead of Redis'"),
            (Seen { keys: keys(&["q_queues:a", "queues:b"]), ..sound() }, "under the prefix [], [q_]"),
            (Seen { keys: keys(&["p_queues:x:delayed", "p_queues:{x}"]), ..sound() }, "[queues:{x}]"),
            (Seen { queues: queue(10, 121), ..sound() }, "121 wake-up tokens for 10 ready jobs"),
            (Seen { waiting: vec!["10.0.0.1:5".into()], ..sound() }, "1 other client(s) wait"),
            (
                Seen { supervisors: vec!["web-abcd:one".into()], ..sound() },
                "Horizon is at work here (web-abcd:one)",
            ),
            (Seen { refused: vec!["INFO was refused".into()], ..sound() }, "INFO was refused"),
        ] {
            let [finding] = &judge(&seen)[..] else { panic!("{told}: {:?}", judge(&seen)) };
            assert!(finding.sentence.contains(told), "{told}: {finding:?}");
        }
    }
}
