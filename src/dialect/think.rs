//! think-queue's wire, 1.0 to 3.0: its keys, its scripts, its job names and its rules, a version each.
//!
//! Never does I/O. What differs between the versions is data here. Counterpart in PHP: `think\queue\connector\Redis`,
//! `think\queue\Job`, `think\queue\Worker` of each version.

use bytes::Bytes;

use super::laravel::has_hash_tag;
use super::wire::json_scripts;
use super::{Counting, Keys, Rules, Scripts};
use crate::job::{Payload, PayloadError};

/// How one ThinkPHP app speaks to Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Think {
    /// What stands in front of every key. The framework itself has no such option.
    pub prefix: String,
    /// The version of think-queue.
    pub version: (u32, u32, u32),
    /// The app's namespace, in which jobs without one are looked for; `app` unless the app says otherwise.
    pub namespace: String,
    /// The connection is a cluster.
    pub cluster: bool,
}

impl Think {
    /// The last version 3.
    pub fn new(prefix: impl Into<String>) -> Self {
        Think { prefix: prefix.into(), version: (3, 0, 9), namespace: "app".to_owned(), cluster: false }
    }

    /// This version, such as `(2, 0, 4)`.
    #[must_use]
    pub fn version(self, version: (u32, u32, u32)) -> Self {
        Think { version, ..self }
    }

    /// The keys of a queue: from 3.0.5 on, `queues:` and the name are a hash tag.
    pub fn keys(&self, queue: &str) -> Keys {
        let Think { prefix, .. } = self;
        Keys::of(match self.version >= (3, 0, 5) {
            true => format!("{prefix}{{queues:{queue}}}"),
            false => format!("{prefix}queues:{queue}"),
        })
    }

    /// True where the keys of this queue do not share a slot of the cluster.
    pub fn is_torn(&self, queue: &str) -> bool {
        self.cluster && !has_hash_tag(&self.keys(queue).ready)
    }

    /// What runs in Redis.
    pub fn scripts(&self) -> &'static Scripts {
        if self.version >= (3, 0, 0) { &SCRIPTS } else { &OLD_SCRIPTS }
    }

    /// From 3.0 on, a reservation counts the attempt; before, a release or a migration does.
    pub fn counting(&self) -> Counting {
        if self.version >= (3, 0, 0) { Counting::AtReserve } else { Counting::AtReturn }
    }

    /// Reads a payload.
    ///
    /// # Errors
    /// Where it is not a JSON object.
    pub fn read(&self, raw: Bytes) -> Result<Payload, PayloadError> {
        Payload::parse_named(raw, |job| self.resolve(job))
    }

    /// Class and method of a job's name, as `Class@method`. Without a method it is `fire`; a name without a backslash is a
    /// class in the app's, or one of its modules', `job`.
    pub fn resolve(&self, job: &str) -> String {
        let mut parts = job.split('@');
        let name = parts.next().unwrap_or_default();
        let method = parts.next().unwrap_or("fire");
        let Think { namespace, .. } = self;
        if name.contains('\\') {
            return format!("{}@{method}", name.trim_start_matches('\\'));
        }
        match name.split_once('/') {
            _ if self.version >= (3, 0, 7) => format!("{namespace}\\job\\{}@{method}", studly(name)),
            Some((module, name)) => {
                format!("{namespace}\\{}\\job\\{name}@{method}", module.to_ascii_lowercase())
            }
            None => format!("{namespace}\\job\\{name}@{method}"),
        }
    }

    /// The rules of this version.
    pub fn rules(&self) -> Rules {
        Rules::think(self.version)
    }
}

/// `send_mail` and `send-mail` as `SendMail`. Counterpart in PHP: `think\helper\Str::studly`.
fn studly(name: &str) -> String {
    let words = name.split(['-', '_', ' ']);
    let upper = |word: &str| {
        let mut chars = word.chars();
        chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
    };
    words.map(upper).collect()
}

/// What runs in Redis for version 3.
pub const SCRIPTS: Scripts = json_scripts!("lua/think.lua");
/// What runs in Redis for versions 1 and 2.
pub const OLD_SCRIPTS: Scripts = json_scripts!("lua/think_old.lua");

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: (u32, u32, u32)) -> Think {
        Think::new("").version(version)
    }

    #[test]
    fn rows_1_and_2_the_keys_became_a_hash_tag_with_3_0_5() {
        let keys = of((3, 0, 9)).keys("mail");
        assert_eq!(keys.ready, "{queues:mail}");
        assert_eq!(keys.delayed, "{queues:mail}:delayed");
        assert_eq!(keys.reserved, "{queues:mail}:reserved");
        assert_eq!(keys.own().count(), 0);
        assert_eq!(of((3, 0, 5)).keys("mail").ready, "{queues:mail}");
        for version in [(3, 0, 4), (2, 0, 4), (1, 1, 6)] {
            assert_eq!(of(version).keys("default").reserved, "queues:default:reserved");
        }
    }

    #[test]
    fn a_cluster_wants_a_hash_tag() {
        let cluster = |version| Think { cluster: true, ..of(version) };
        assert!(!cluster((3, 0, 9)).is_torn("default"));
        assert!(cluster((3, 0, 4)).is_torn("default") && !cluster((3, 0, 4)).is_torn("{default}"));
    }

    #[test]
    fn rows_24_and_25_a_name_is_resolved_as_its_version_does() {
        let (newest, before, two, one) = ((3, 0, 7), (3, 0, 6), (2, 0, 4), (1, 1, 6));
        for (version, job, resolved) in [
            (newest, "Job1", "app\\job\\Job1@fire"),
            (newest, "send_mail@run", "app\\job\\SendMail@run"),
            (newest, "send-all_mails", "app\\job\\SendAllMails@fire"),
            (newest, "Admin/Job1", "app\\job\\Admin/Job1@fire"),
            (newest, "app\\job\\hello_x@boom", "app\\job\\hello_x@boom"),
            (newest, "\\app\\Job@a@b", "app\\Job@a"),
            (before, "send_mail", "app\\job\\send_mail@fire"),
            (before, "Admin/Job1@run", "app\\admin\\job\\Job1@run"),
            (two, "Admin/Job1", "app\\admin\\job\\Job1@fire"),
            (one, "Admin/Job1", "app\\admin\\job\\Job1@fire"),
            (one, "a/b/C", "app\\a\\job\\b/C@fire"),
            (one, "Job1", "app\\job\\Job1@fire"),
        ] {
            assert_eq!(of(version).resolve(job), resolved, "{job} of {version:?}");
        }
        let other = Think { namespace: "shop".to_owned(), ..of(newest) };
        assert_eq!(other.resolve("Job1"), "shop\\job\\Job1@fire");
    }

    #[test]
    fn a_payload_is_named_by_its_job_and_found_by_its_class() {
        let read = |json: &'static str| of(newest_version()).read(json.as_bytes().into()).unwrap();
        let hello = read(r#"{"job":"hello@boom","data":{"command":1},"attempts":0}"#);
        assert_eq!((hello.name(), hello.class()), ("hello@boom", Some("app\\job\\Hello")));
        assert_eq!(hello.handler(), Some("app\\job\\Hello@boom"));
        let object = read(
            r#"{"job":"think\\queue\\CallQueuedHandler@call","data":{"commandName":"app\\job\\M","command":"O:1:\"M\":0:{}"},"attempts":0}"#,
        );
        assert_eq!(object.class(), Some("app\\job\\M"));
        assert_eq!(object.name(), "think\\queue\\CallQueuedHandler@call");
    }

    fn newest_version() -> (u32, u32, u32) {
        Think::new("").version
    }
}
