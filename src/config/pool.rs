//! How the PHP children of a pool are started.
//!
//! Starts none. Counterpart in PHP: the command line of a `queue:work` under Supervisor.

use std::path::{Path, PathBuf};

use super::dialect::{self, Framework};
use super::{App, Error, Low, no_app, options};
use crate::dialect::Dialect;
use crate::handler::{PoolOptions, Runner};
use crate::worker::WorkerOptions;

/// The children's command line: this worker's own, as far as a child is concerned.
pub(super) fn of(
    low: &Low,
    app: Option<&App>,
    directory: &Path,
    dialect: &Dialect,
    connection: &str,
    queues: &[String],
    options: &WorkerOptions,
) -> Result<PoolOptions, Error> {
    let children = low.number("php", 0)?;
    let (framework, runner) = match dialect {
        Dialect::Laravel(_) => (Framework::Laravel, Runner::LARAVEL),
        Dialect::Think(_) => (Framework::Think, Runner::THINK),
        // Refused where there are to be children.
        Dialect::Hyperf(_) => (Framework::Hyperf, Runner::LARAVEL),
    };
    if children > 0 {
        if let Dialect::Think(think) = dialect {
            dialect::takes_a_pool(think, options)?;
        }
        if app.is_none() {
            return Err(no_app(framework, directory));
        }
    }
    let old = framework != Framework::Laravel || app.is_some_and(|app| app.version() < (8, 0));
    let mut arguments = vec!["queue:work".to_owned(), connection.to_owned()];
    let mut option = |name: &str, value: &str| arguments.push(format!("--{name}={value}"));
    option("queue", &queues.join(","));
    option("sleep", "0");
    option("tries", &options.tries.to_string());
    option("timeout", &options.timeout.to_string());
    option(if old { "delay" } else { "backoff" }, &options.backoff);
    option("memory", &options.memory.unwrap_or(128).to_string());
    if !options.rest.is_zero() {
        option("rest", &options.rest.as_secs_f64().to_string());
    }
    if let Some(name) = low.get("name").filter(|_| !old) {
        option("name", name);
    }
    let switches = ["force", "once"].into_iter().filter(|switch| low.is_on(switch));
    arguments.extend(switches.map(|switch| format!("--{switch}")));
    Ok(PoolOptions {
        runner,
        children,
        php: low.get("php-binary").unwrap_or("php").to_owned(),
        directory: logical(directory),
        arguments,
        max_jobs: low.number("php-max-jobs", 0)?,
        max_time: options::seconds(low, "php-max-time", 0.0)?,
    })
}

/// The directory as named, not as resolved: a symlink of a release that has moved is followed anew each time.
fn logical(directory: &Path) -> PathBuf {
    let same =
        |a: &Path, b: &Path| a.canonicalize().ok().zip(b.canonicalize().ok()).is_some_and(|(a, b)| a == b);
    let here = std::env::var_os("PWD").map(PathBuf::from).filter(|pwd| same(pwd, Path::new(".")));
    let here = here.or_else(|| std::env::current_dir().ok()).unwrap_or_default();
    match directory == Path::new(".") {
        true => here,
        false => here.join(directory),
    }
}
