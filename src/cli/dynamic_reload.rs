//! `queue:dynamic-reload`: shows the messages of a Hyperf list by their jobs, and puts those of one job back to wait.
//!
//! A message goes from list to list in one step, so that nothing is lost where this ends between two. What it shows of a
//! job's properties is JSON as a reader wants it; PHP's own leaves out what is not public, and so does this at the top.
//! Counterpart in PHP: `Hyperf\AsyncQueue\Command\DynamicReloadMessageCommand`.

use std::process::ExitCode;

use anyhow::bail;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use handover::dialect::Hyperf;
use handover::job::Payload;
use handover::queue::{Queue, RedisQueue, State};
use serde_json::Value;

use super::channel::{FAILED, hyperf, of_a_role, on_a_channel};
use super::reached;

/// Messages that are looked at in one call.
const AT_ONCE: usize = 100;
/// Columns of JSON that are shown of a job.
const SHOWN: usize = 1000;

pub(crate) fn command() -> Command {
    let option = |name: &'static str, short: char, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).short(short).value_name(value).help(help)
    };
    let about = "Show the messages of a Hyperf list by their jobs, or put some of them back to wait";
    of_a_role(on_a_channel(Command::new("queue:dynamic-reload").alias("dynamic-reload").about(about)))
        .arg(option("job", 'J', "JOB", "Those of this class alone, or of this Class::method"))
        .arg(
            option("limit", 'L', "N", "Look at so many; 0 is all")
                .value_parser(value_parser!(usize))
                .default_value("0"),
        )
        .arg(
            Arg::new("reload")
                .long("reload")
                .short('R')
                .action(ArgAction::SetTrue)
                .help("Put them back to wait; the others go behind those of their list"),
        )
}

pub(crate) async fn run(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let (queue, hyperf, channels) = hyperf(reached(matches)?)?;
    let role = matches.get_one::<String>("role").map_or(FAILED, String::as_str);
    let state = match role {
        FAILED => State::Failed,
        "timeout" => State::Timeout,
        "waiting" => State::Pending,
        "delayed" | "reserved" => bail!("Queue {role} is no list, whose messages have an order."),
        _ => bail!("Queue {role} is not exist."),
    };
    let asked = Asked {
        job: matches.get_one::<String>("job").map(String::as_str),
        limit: *matches.get_one("limit").expect("has a default"),
    };
    for channel in &channels {
        match matches.get_flag("reload") {
            true => reload(&queue, &hyperf, channel, role, state, &asked).await?,
            false => show(&queue, channel, state, &asked).await?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Which messages are meant.
struct Asked<'a> {
    job: Option<&'a str>,
    /// 0 is all.
    limit: usize,
}

impl Asked<'_> {
    fn is_for(&self, name: &str) -> bool {
        self.job.is_none_or(|job| job == name)
    }

    /// How many of so many messages are looked at.
    fn of(&self, count: usize) -> usize {
        if self.limit == 0 { count } else { self.limit.min(count) }
    }
}

/// How many messages stand there.
async fn count(queue: &RedisQueue, channel: &str, state: State) -> anyhow::Result<usize> {
    let sizes = queue.size(channel).await?;
    let count = match state {
        State::Failed => sizes.failed.unwrap_or_default(),
        State::Timeout => sizes.timeout.unwrap_or_default(),
        _ => sizes.pending,
    };
    Ok(usize::try_from(count)?)
}

/// The newest first, as they stand from the head on.
async fn show(queue: &RedisQueue, channel: &str, state: State, asked: &Asked<'_>) -> anyhow::Result<()> {
    let count = count(queue, channel, state).await?;
    let (mut end, last) = (count, count - asked.of(count));
    while end > last {
        let begin = end.saturating_sub(AT_ONCE).max(last);
        for peeked in queue.peek(channel, state, begin, end - begin).await?.into_iter().rev() {
            match queue.read(peeked.payload) {
                Ok(payload) if asked.is_for(&name(&payload)) => {
                    println!("Job: {} [{}]", name(&payload), cut(&properties(&payload)));
                }
                Ok(_) => {}
                Err(error) => eprintln!("handover: {error}"),
            }
        }
        end = begin;
    }
    Ok(())
}

/// The oldest first: each is put back to wait, or behind the others of its list.
async fn reload(
    queue: &RedisQueue,
    hyperf: &Hyperf,
    channel: &str,
    role: &str,
    state: State,
    asked: &Asked<'_>,
) -> anyhow::Result<()> {
    let mut left = asked.of(count(queue, channel, state).await?);
    let list = hyperf.role(channel, role).expect("a role that was looked at");
    let waiting = hyperf.keys(channel).ready;
    while left > 0 {
        let Some(oldest) = queue.peek(channel, state, 0, 1).await?.pop() else { break };
        let read = queue.read(oldest.payload.clone()).map(|payload| name(&payload));
        let is_meant = read.as_ref().is_ok_and(|name| asked.is_for(name));
        let target = if is_meant { &waiting } else { &list };
        // Somebody else took it meanwhile: the next one is looked at.
        if !queue.move_oldest(channel, &list, &oldest.payload, target).await? {
            continue;
        }
        left -= 1;
        match read {
            Ok(name) if is_meant => println!("Reload Job: {name}"),
            Ok(name) => println!("RePush Job: {name}"),
            Err(error) => eprintln!("handover: left where it is: {error}"),
        }
    }
    Ok(())
}

/// A job's class, or `Class::method` of a call.
fn name(payload: &Payload) -> String {
    match payload.job() {
        Some(call) => call.replacen('@', "::", 1),
        None => payload.name().to_owned(),
    }
}

/// A job's public properties, or the arguments of a call, as JSON.
fn properties(payload: &Payload) -> String {
    let job = payload.command().and_then(|command| command.value().ok());
    let json = match (payload.data().filter(|_| payload.is_call()), job) {
        (Some(arguments), _) => serde_json::from_str(arguments.get()).ok(),
        (None, Some(job)) => job.to_json().ok().map(|json| match (json, job.as_object()) {
            (Value::Object(all), Some(object)) => {
                all.into_iter().filter(|(name, _)| object.public(name).is_some()).collect()
            }
            (json, _) => json,
        }),
        (None, None) => None,
    };
    json.map(|json| json.to_string().replace('/', "\\/")).unwrap_or_default()
}

/// No more than is fit for a line.
fn cut(json: &str) -> String {
    match json.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &json[..end]),
        None => json.to_owned(),
    }
}
