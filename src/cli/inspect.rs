//! `queue:inspect`: what stands in a queue, state by state, decoded as far as it can be.
//!
//! Changes nothing. Counterpart in PHP: none.

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use handover::queue::{Peeked, Queue, RedisQueue, State};

use super::{reached, reaching};

pub(crate) fn command() -> Command {
    let limit = Arg::new("limit")
        .long("limit")
        .value_name("N")
        .default_value("20")
        .value_parser(value_parser!(usize));
    let about = "Show the jobs of a queue, state by state";
    let command = reaching(Command::new("queue:inspect").alias("inspect").about(about));
    command.arg(limit.help("Jobs shown of each state"))
}

pub(crate) async fn run(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let (queue, config) = reached(matches)?;
    let limit = *matches.get_one::<usize>("limit").expect("has a default");
    for name in &config.queues {
        let sizes = queue.size(name).await?;
        println!("[{}:{name}]", config.connection);
        show(&queue, name, "pending", State::Pending, sizes.pending, limit).await?;
        show(&queue, name, "delayed", State::Delayed, sizes.delayed, limit).await?;
        show(&queue, name, "reserved", State::Reserved, sizes.reserved, limit).await?;
        for (title, state, count) in
            [("timed out", State::Timeout, sizes.timeout), ("failed", State::Failed, sizes.failed)]
        {
            if let Some(count) = count {
                show(&queue, name, title, state, count, limit).await?;
            }
        }
        show(&queue, name, "quarantined", State::Quarantined, sizes.quarantined, limit).await?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(
    queue: &RedisQueue,
    name: &str,
    title: &str,
    state: State,
    count: u64,
    limit: usize,
) -> anyhow::Result<()> {
    println!("  {title}: {count}");
    for peeked in queue.peek(name, state, 0, limit).await? {
        println!("    {}", line(queue, &peeked, state));
    }
    Ok(())
}

/// One job on one line; bytes that no job can be read from are shown escaped and shortened.
fn line(queue: &RedisQueue, peeked: &Peeked, state: State) -> String {
    let at = peeked.at.map(|at| format!("{at:.0} ")).unwrap_or_default();
    let size = peeked.payload.len();
    match queue.read(peeked.payload.clone()) {
        Ok(payload) if state != State::Quarantined => {
            let id = payload.uuid().or_else(|| payload.id()).unwrap_or_default();
            let id = if id.is_empty() { id } else { format!("{id} ") };
            format!("{at}{id}{} attempts {} ({size} bytes)", payload.name(), payload.attempts())
        }
        _ => {
            let head = &peeked.payload[..size.min(80)];
            let more = if size > 80 { "..." } else { "" };
            format!("{at}\"{}\"{more} ({size} bytes)", head.escape_ascii())
        }
    }
}
