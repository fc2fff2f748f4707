//! `queue:flush`: deletes every failed job, wherever the framework keeps them.
//!
//! Counterpart in PHP: `think\queue\command\FlushFailed`, `Hyperf\AsyncQueue\Command\FlushFailedMessageCommand`.

use std::process::ExitCode;

use anyhow::bail;
use clap::{ArgMatches, Command};
use handover::dialect::Dialect;

use super::{channel, reached};

pub(crate) fn command() -> Command {
    let about = "Delete all failed jobs: a Hyperf queue's list of them, or think-queue's table";
    let command = channel::on_a_channel(Command::new("queue:flush").alias("flush").about(about));
    let command = channel::of_a_role(command);
    #[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
    let command = command.arg(super::failed::table());
    command
}

pub(crate) async fn run(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let reached = reached(matches)?;
    let role = matches.get_one::<String>("role").map(String::as_str);
    match (&reached.1.dialect, role) {
        (Dialect::Hyperf(_), role) => channel::flush(reached, role).await,
        (_, Some(role)) => bail!(
            "--queue={role} is a role of Hyperf's queues; this framework's queue:flush empties the table of failed jobs"
        ),
        #[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
        (_, None) => super::failed::flush(reached).await,
        #[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
        (_, None) => bail!("this build speaks to no database, where this framework's failed jobs are"),
    }
}
