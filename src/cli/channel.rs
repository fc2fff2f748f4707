//! `queue:info`, `queue:reload` and `queue:flush` of Hyperf: the lists of a channel, by the names of their roles.
//!
//! Never looks into a message. Counterpart in PHP: `InfoCommand`, `ReloadFailedMessageCommand` and
//! `FlushFailedMessageCommand` of `Hyperf\AsyncQueue\Command`.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Arg, ArgMatches, Command};
use handover::config::Config;
use handover::dialect::{Dialect, Hyperf};
use handover::queue::{Queue, RedisQueue, State};

use super::{GREEN, RED, dynamic_reload, reached, reaching, say};

/// The role that is meant where none is named.
pub(super) const FAILED: &str = "failed";

/// The commands that no other framework has, by name.
pub(crate) fn commands() -> [Command; 3] {
    [
        dynamic_reload::command(),
        on_a_channel(
            Command::new("queue:info")
                .alias("info")
                .about("Count the messages of a Hyperf queue, role by role"),
        ),
        of_a_role(on_a_channel(
            Command::new("queue:reload")
                .alias("reload")
                .about("Put all failed messages of a Hyperf queue back to wait, their attempts as they are"),
        )),
    ]
}

/// Hyperf's name of a queue, and the channel that its messages are in.
pub(super) fn on_a_channel(command: Command) -> Command {
    reaching(command)
        .mut_arg("connection", |name| {
            name.value_name("NAME").help("The name of the queue [default: default]")
        })
        .mut_arg("queue", |queue| {
            queue.long("channel").value_name("CHANNEL").help("Its channel [default: the configured one]")
        })
}

/// With the option that names a role.
pub(super) fn of_a_role(command: Command) -> Command {
    let role = Arg::new("role").long("queue").short('Q').value_name("ROLE");
    command.arg(
        role.help("The role: timeout or failed; waiting, delayed, ... for queue:flush [default: failed]"),
    )
}

/// `queue:info`.
pub(crate) async fn info(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let (queue, _, channels) = hyperf(reached(matches)?)?;
    for channel in &channels {
        let sizes = queue.size(channel).await?;
        let failed = sizes.failed.unwrap_or_default();
        let timeout = sizes.timeout.unwrap_or_default();
        for (role, count) in
            [("waiting", sizes.pending), ("delayed", sizes.delayed), ("failed", failed), ("timeout", timeout)]
        {
            say(GREEN, &format!("{role} count is {count}."));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `queue:reload`.
pub(crate) async fn reload(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let (queue, _, channels) = hyperf(reached(matches)?)?;
    let from = match matches.get_one::<String>("role").map_or(FAILED, String::as_str) {
        FAILED => State::Failed,
        "timeout" => State::Timeout,
        other => bail!("Queue {other} is not supported."),
    };
    for channel in &channels {
        let count = queue.reload(channel, from).await?;
        say(GREEN, &format!("Reload {count} failed message into waiting queue."));
    }
    Ok(ExitCode::SUCCESS)
}

/// `queue:flush`.
pub(super) async fn flush(reached: (RedisQueue, Config), role: Option<&str>) -> anyhow::Result<ExitCode> {
    let (queue, hyperf, channels) = hyperf(reached)?;
    let role = role.unwrap_or(FAILED);
    for channel in &channels {
        let key = hyperf.role(channel, role).with_context(|| format!("Queue {role} is not exist."))?;
        queue.discard(channel, &key).await?;
        // Whichever role it was, as in PHP.
        say(RED, "Flush all message from failed queue.");
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn hyperf(
    (queue, config): (RedisQueue, Config),
) -> anyhow::Result<(RedisQueue, Hyperf, Vec<String>)> {
    let Config { dialect, queues, .. } = config;
    match dialect {
        Dialect::Hyperf(hyperf) => Ok((queue, hyperf, queues)),
        _ => bail!(
            "this command is Hyperf's: give --dialect=hyperf; other frameworks' queues are seen by queue:inspect"
        ),
    }
}
