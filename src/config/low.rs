//! What was typed: every option of `queue:work` under its name, as raw text, and where it came from.
//!
//! The one table of options: flags, `HANDOVER_*` variables and the help are read off it. Never looks at the app and
//! never judges a value. Counterpart in PHP: the signature of `Illuminate\Queue\Console\WorkCommand`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use super::Error;

/// One option.
#[cfg_attr(not(feature = "cli"), expect(dead_code, reason = "without flags only the names are read"))]
pub(super) struct Known {
    /// Its flag without the dashes; the variable is `HANDOVER_` and the same in capitals.
    pub(super) name: &'static str,
    /// What stands for its value in the help; `None` for a switch.
    pub(super) value: Option<&'static str>,
    pub(super) help: &'static str,
}

impl Known {
    /// It may be given often; its values are then separated by white space.
    pub(super) fn may_repeat(&self) -> bool {
        matches!(self.name, "http" | "also")
    }
}

const fn known(name: &'static str, value: Option<&'static str>, help: &'static str) -> Known {
    Known { name, value, help }
}

/// Every option, Laravel's first.
pub(super) const OPTIONS: &[Known] = &[
    known("name", Some("NAME"), "The name of the worker; informational [default: default]"),
    known("queue", Some("QUEUES"), "The queues to work, comma separated, the first one emptied first"),
    known(
        "daemon",
        None,
        "Work on; for think-queue 1 and 2, which run one job without it. Else accepted and ignored",
    ),
    known("once", None, "Only process the next job on the queue"),
    known("stop-when-empty", None, "Stop when the queue is empty"),
    known("stop-when-empty-for", Some("SECONDS"), "Stop after so many seconds without a job [default: 0]"),
    known("delay", Some("SECONDS"), "The old name of --backoff; the larger one counts [default: 0]"),
    known(
        "backoff",
        Some("SECONDS"),
        "Seconds before a job that threw is retried; a comma list by attempt [default: 0]",
    ),
    known("max-jobs", Some("N"), "Jobs to process before stopping; 0 is no limit [default: 0]"),
    known("max-time", Some("SECONDS"), "Seconds to run before stopping; 0 is no limit [default: 0]"),
    known("force", None, "Run PHP jobs in maintenance mode, too"),
    known(
        "memory",
        Some("MB"),
        "Megabytes above which a PHP process is replaced [default: 128]; given, this one stops above it, too",
    ),
    known("sleep", Some("SECONDS"), "Seconds between polls of empty queues; fractions allowed [default: 3]"),
    known("rest", Some("SECONDS"), "Seconds that a slot rests after a job; fractions allowed [default: 0]"),
    known("timeout", Some("SECONDS"), "Seconds a job may run; 0 is no limit [default: 60]"),
    known("tries", Some("N"), "Attempts of a job that names no limit itself; 0 is no limit [default: 1]"),
    known("json", None, "Print job lines as JSON"),
    known("concurrency", Some("N"), "Jobs that run at once in this process [default: 16]"),
    known(
        "php",
        Some("N"),
        "PHP processes for every job class without a handler; alone it is 1 [default: 0]",
    ),
    known("php-max-jobs", Some("N"), "Replace a PHP process after so many jobs; 0 is never [default: 0]"),
    known("php-max-time", Some("SECONDS"), "Replace a PHP process after so long; 0 is never [default: 0]"),
    #[cfg(feature = "http")]
    known(
        "http",
        Some("PATTERN=URL"),
        "Send the jobs of a class, or of a pattern such as App\\Jobs\\*, to this endpoint; may be given often",
    ),
    #[cfg(feature = "http")]
    known(
        "http-secret",
        Some("SECRETS"),
        "What HTTP requests are signed with: whsec_ and base64, or raw; several, separated by spaces, while one is \
         replaced. Better given as HANDOVER_HTTP_SECRET: a command line can be seen by others",
    ),
    #[cfg(feature = "http")]
    known("http-unsigned", None, "Send unsigned requests where there is no secret"),
    known(
        "lease",
        Some("SECONDS"),
        "Length of a reservation, renewed while the job runs [default: the app's retry_after, expire or handle_timeout]",
    ),
    known("no-expire", None, "Leave reservations that ran out where they are: think-queue's expire => null"),
    known(
        "grace",
        Some("SECONDS"),
        "Hand unfinished jobs back so long after a signal to stop [default: wait for them]",
    ),
    known(
        "timeout-release",
        Some("WHEN"),
        "now: a job that timed out may run again at once, not after retry_after",
    ),
    #[cfg(feature = "health")]
    known(
        "health",
        Some("ADDRESS"),
        "Answer GET /health there: 200 while the worker gets on [default: nowhere]",
    ),
    known(
        "reload",
        Some("LIST"),
        "timeout: put Hyperf's messages that timed out back to wait, by itself; one that still runs somewhere runs twice",
    ),
    known(
        "failed-jobs",
        Some("URL"),
        "The table of failed jobs, in place of the app's: mysql://user:password@host/database, pgsql:// or \
         sqlite:///file; ?table= where it is not failed_jobs",
    ),
    known(
        "restart-key",
        Some("WHERE"),
        "The cache where queue:restart leaves its time: redis://host/0, with ?key= where the cache has a prefix \
         (?key=shop:think:queue:restart); or the folder of a file cache, as runtime/cache. Once it changes the worker \
         finishes and stops [default: a ThinkPHP app's own; of Laravel's, --php watches]",
    ),
    known("max-payload", Some("BYTES"), "Larger payloads are set aside [default: 134217728]"),
    known("app", Some("DIR"), "The app, of Laravel, ThinkPHP or Hyperf [default: this directory]"),
    known(
        "config",
        Some("FILE"),
        "A file of these options [default: handover.toml in the app, where there is one]",
    ),
    known("guess-config", None, "Without PHP and a cached configuration, guess it from .env"),
    known(
        "dialect",
        Some("NAME"),
        "Whose jobs these are: laravel, think (think-queue 3), think2, think1 or hyperf (async-queue) [default: what the app is]",
    ),
    known(
        "dialect-version",
        Some("VERSION"),
        "The version of think-queue, async-queue or Laravel: 3.0.4 [default: what is installed, else the last]",
    ),
    known(
        "also",
        Some("DIALECT=QUEUES"),
        "After its own queues, serve these of another framework on the same Redis: think=orders,mails or \
         think@3.0.4=orders?tries=3 or laravel=default?app=/srv/crm; may be given often",
    ),
    known("redis", Some("URL"), "The queue's Redis, in place of the app's"),
    known("prefix", Some("PREFIX"), "The key prefix, in place of the app's"),
    known(
        "namespace",
        Some("NAMESPACE"),
        "ThinkPHP's namespace of job names without one, in place of the app's [default: app]",
    ),
    known("quiet", None, "Print no job lines"),
    known("ansi", None, "Colours, terminal or not"),
    known("no-ansi", None, "No colours"),
];

/// What turns a switch on, in any case.
const ON: &[&str] = &["1", "true", "yes", "on"];
/// What leaves it off.
const OFF: &[&str] = &["", "0", "false", "no", "off"];

/// Variables without a flag.
pub(super) const VARIABLES: &[&str] = &["connection", "php-binary", "verbose"];

/// The names of all that can be set.
pub(super) fn known_names() -> impl Iterator<Item = &'static str> {
    OPTIONS.iter().map(|known| known.name).chain(VARIABLES.iter().copied())
}

/// True for what Kubernetes gives to every pod beside a Service whose name begins with handover.
fn is_of_a_service(name: &str) -> bool {
    let numbered =
        name.split_once("PORT_").is_some_and(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit()));
    name == "PORT"
        || name.ends_with("_PORT")
        || name.contains("SERVICE_HOST")
        || name.contains("SERVICE_PORT")
        || numbered
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A flag of the command line.
    Flag,
    /// This environment variable.
    Variable(String),
    /// This file of options.
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Flag => f.write_str("flag"),
            Source::Variable(name) => f.write_str(name),
            Source::File(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What was typed.
#[derive(Clone, Default, PartialEq)]
pub struct Low(BTreeMap<String, (String, Source)>);

/// Names and sources alone: some of the values are secrets.
impl fmt::Debug for Low {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, (_, source))| (name, source))).finish()
    }
}

impl Low {
    /// What a flag said. A flag beats a variable, whatever the order.
    pub fn flag(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), (value.into(), Source::Flag));
    }

    /// What the environment's `HANDOVER_*` variables say.
    ///
    /// # Errors
    /// Where one of them is no option: a typo must not be passed over in silence.
    pub fn variables(&mut self, variables: impl IntoIterator<Item = (String, String)>) -> Result<(), Error> {
        for (variable, value) in variables {
            let Some(name) = variable.strip_prefix("HANDOVER_") else { continue };
            if is_of_a_service(name) {
                continue;
            }
            let name = name.to_ascii_lowercase().replace('_', "-");
            if !known_names().any(|known| known == name) {
                return Err(Error::UnknownVariable { variable });
            }
            // A blank variable is how a compose file says that there is none; an empty prefix is one, and an empty
            // name of PHP says that there is no PHP.
            if value.is_empty() && !matches!(name.as_str(), "prefix" | "php-binary") {
                continue;
            }
            self.0.entry(name).or_insert((value, Source::Variable(variable)));
        }
        Ok(())
    }

    /// The `HANDOVER_*` variables of this process.
    ///
    /// # Errors
    /// As [`variables`](Self::variables), and where one of them is not UTF-8; other variables may hold what they like.
    pub fn environment(&mut self) -> Result<(), Error> {
        let ours = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| name.starts_with("HANDOVER_"))?;
            Some(
                value
                    .into_string()
                    .map(|value| (name.clone(), value))
                    .map_err(|_| Error::NotUtf8 { variable: name }),
            )
        });
        self.variables(ours.collect::<Result<Vec<_>, _>>()?)
    }

    /// One variable of this process, whatever others there are.
    pub fn variable(&mut self, name: &str) {
        let variable = format!("HANDOVER_{}", name.to_ascii_uppercase());
        if let Ok(value) = std::env::var(&variable) {
            self.0.entry(name.to_owned()).or_insert((value, Source::Variable(variable)));
        }
    }

    /// What a file of options says. Flags and variables go before it.
    pub(super) fn file(&mut self, name: &str, value: String, path: &Path) {
        self.0.entry(name.to_owned()).or_insert((value, Source::File(path.to_owned())));
    }

    /// A value as typed.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|(value, _)| value.as_str())
    }

    /// Where a value came from.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.0.get(name).map(|(_, source)| source)
    }

    /// A switch: given, and not `0`, `false`, `no`, `off` or empty.
    pub fn is_on(&self, name: &str) -> bool {
        let off = |value: &str| OFF.iter().any(|off| off.eq_ignore_ascii_case(value));
        self.get(name).is_some_and(|value| !off(value))
    }

    /// Refuses a switch that is neither on nor off.
    pub(super) fn check_switches(&self) -> Result<(), Error> {
        let known = |value: &str| ON.iter().chain(OFF).any(|known| known.eq_ignore_ascii_case(value));
        let switches = OPTIONS.iter().filter(|option| option.value.is_none()).map(|option| option.name);
        match switches.filter_map(|name| Some((name, self.get(name)?))).find(|(_, value)| !known(value)) {
            None => Ok(()),
            Some((name, given)) => Err(Error::OutOfRange {
                name,
                must: "must be on or off (1, true, yes, on; 0, false, no, off)",
                given: given.to_owned(),
            }),
        }
    }

    /// A number, or the default.
    pub fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> Result<T, Error> {
        Ok(self.optional(name)?.unwrap_or(default))
    }

    /// A number where one was given.
    pub fn optional<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, Error> {
        let parse = |value: &str| {
            let given = value.to_owned();
            value.trim().parse().map_err(|_| Error::NotANumber { name: name.to_owned(), given })
        };
        self.get(name).map(parse).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_beats_a_variable_and_a_typo_is_told() {
        let variable = |name: &str, value: &str| [(name.to_owned(), value.to_owned())];
        let mut low = Low::default();
        low.flag("tries", "3");
        low.variables(variable("HANDOVER_TRIES", "9")).unwrap();
        low.variables(variable("HANDOVER_MAX_JOBS", "7")).unwrap();
        low.variables(variable("TRIES", "8")).unwrap();
        low.variables(variable("HANDOVER_SERVICE_HOST", "10.0.0.1")).unwrap();
        low.variables(variable("HANDOVER_PORT_80_TCP", "tcp://10.0.0.1:80")).unwrap();
        low.variables(variable("HANDOVER_REDIS_SERVICE_HOST", "10.0.0.1")).unwrap();
        low.variables(variable("HANDOVER_WORKER_PORT", "tcp://10.0.0.1:80")).unwrap();
        low.variables(variable("HANDOVER_REDIS", "")).unwrap();
        low.variables(variable("HANDOVER_PREFIX", "")).unwrap();
        assert_eq!(
            (low.get("redis"), low.get("prefix")),
            (None, Some("")),
            "blank is none, but for a prefix"
        );
        assert_eq!(low.number("tries", 1).unwrap(), 3);
        assert_eq!(low.number("max-jobs", 0).unwrap(), 7);
        assert_eq!(low.source("max-jobs").unwrap().to_string(), "HANDOVER_MAX_JOBS");
        let typo = low.variables(variable("HANDOVER_TRYS", "9")).unwrap_err();
        assert!(typo.to_string().contains("HANDOVER_TRYS"), "{typo}");
    }

    #[test]
    fn a_switch_is_on_or_off_in_any_case_and_nothing_else() {
        for (given, on, odd) in [
            ("True", true, false),
            ("on", true, false),
            ("False", false, false),
            ("OFF", false, false),
            ("no", false, false),
            ("maybe", true, true),
        ] {
            let mut low = Low::default();
            low.flag("stop-when-empty", given);
            assert_eq!((low.is_on("stop-when-empty"), low.check_switches().is_err()), (on, odd), "{given}");
        }
    }

    #[test]
    fn what_was_typed_is_not_shown() {
        let mut low = Low::default();
        low.flag("redis", "redis://:hush@host");
        assert_eq!(format!("{low:?}"), r#"{"redis": Flag}"#);
    }

    #[test]
    fn a_value_that_is_no_number_is_named() {
        let mut low = Low::default();
        low.flag("tries", "abc");
        let error = low.number("tries", 1).unwrap_err();
        assert_eq!(error.to_string(), "The --tries option must be a number, [abc] given.");
    }
}
