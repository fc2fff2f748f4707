//! `queue:restart`: tells every worker that watches the app's cache to stop once its job is done.
//!
//! Starts and ends nobody itself. Counterpart in PHP: `think\queue\command\Restart`,
//! `Illuminate\Queue\Console\RestartCommand`.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Arg, ArgMatches, Command};
use handover::clock::Clock;
use handover::config::{Config, RestartKey};

use super::{GREEN, reaching, say, typed};

pub(crate) fn command() -> Command {
    let key = Arg::new("restart-key").long("restart-key").value_name("WHERE");
    reaching(
        Command::new("queue:restart")
            .alias("restart")
            .about("Tell all workers of the app, PHP's and ours, to stop after their current jobs"),
    )
    .arg(key.help("The app's cache, as for queue:work"))
}

pub(crate) async fn run(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let config = Config::from_low(&typed(matches)?)?;
    if let Some(RestartKey::Unknown(driver)) = &config.restart {
        bail!(
            "the app's cache store ({driver}) is none that is written here: have PHP do it, by `php think queue:restart`"
        )
    }
    let key = config.restart_key()?.context(
        "nothing says where the app's cache is: name it with --restart-key, as redis://127.0.0.1:6379/0 or as the folder \
         of a file cache, runtime/cache",
    )?;
    key.write(Clock::system().now()).await.context("writing the time of queue:restart")?;
    say(GREEN, "Broadcasting queue restart signal.");
    Ok(ExitCode::SUCCESS)
}
