//! `queue:clear`: removes every job of a queue but what was set aside.
//!
//! Counterpart in PHP: `Illuminate\Queue\Console\ClearCommand`.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command};
use handover::queue::Queue;

use super::{reached, reaching};

pub(crate) fn command() -> Command {
    let force = Arg::new("force")
        .long("force")
        .action(ArgAction::SetTrue)
        .help("Accepted, as by artisan; nothing is asked");
    reaching(
        Command::new("queue:clear").alias("clear").about("Delete all of the jobs from the specified queue"),
    )
    .arg(force)
}

pub(crate) async fn run(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let (queue, config) = reached(matches)?;
    let mut count = 0;
    for name in &config.queues {
        count += queue.clear(name).await?;
    }
    let jobs = if count == 1 { "job" } else { "jobs" };
    let queues = if config.queues.len() == 1 { "queue" } else { "queues" };
    println!("Cleared {count} {jobs} from the [{}] {queues}", config.queues.join(", "));
    Ok(ExitCode::SUCCESS)
}
