//! `push`: a job from the shell, for whichever worker of the app takes it.
//!
//! Prints the uuid of each job pushed, a line each. Counterpart in PHP: none; `dispatch()` in `php artisan tinker`.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use handover::{Dispatch, Producer, php};
use serde_json::Value;

use super::decode::{stdin, without_newline};
use super::{reached, reaching};

/// Jobs of one `--count` that are made before they are pushed.
const AT_ONCE: u64 = 1_000;

pub(crate) fn command() -> Command {
    let job = "The class of the job (App\\Jobs\\SendInvoice), or Class@method";
    let command = Command::new("push")
        .about("Push a job onto a queue")
        .arg(Arg::new("job").value_name("JOB").help(job));
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let number = |name, value, help| option(name, value, help).value_parser(value_parser!(u32));
    reaching(command)
        .arg(option("data", "JSON", "Data of a string job"))
        .arg(option("object", "JSON", "Public properties of the object").conflicts_with("data"))
        .arg(
            option("serialized", "FILE", "PHP's serialize() of the object; - is stdin")
                .conflicts_with_all(["data", "object"]),
        )
        .arg(number("delay", "SECONDS", "Not before so many seconds from now"))
        .arg(number("tries", "N", "Attempts; 0 is unlimited"))
        .arg(number("timeout", "SECONDS", "How long an attempt may take; 0 is without end"))
        .arg(
            number("backoff", "SECONDS", "Wait after an exception; several with commas: after the first, the second, ...")
                .value_delimiter(',')
                .action(ArgAction::Append),
        )
        .arg(option("count", "N", "So many of them").value_parser(value_parser!(u64)).default_value("1"))
        .mut_arg("queue", |queue| queue.value_name("QUEUE").help("The queue [default: the connection's]"))
        .after_help(
            "handover push 'App\\Legacy@fire' --data '{\"a\":1}'\n\
             handover push 'App\\Jobs\\SendInvoice' --object '{\"invoiceId\":42}' --queue=invoices --delay=60\n\
             handover php:encode < job.json | handover push --serialized -",
        )
}

pub(crate) async fn run(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let job = said(matches, dispatch(matches)?)?;
    let (queue, config) = reached(matches)?;
    let producer = Producer::on(queue).connection(&config.connection);
    let producer = producer.default_queue(&config.default_queue);
    let count = *matches.get_one::<u64>("count").expect("has a default");
    let mut left = count;
    while left > 0 {
        let now = left.min(AT_ONCE);
        left -= now;
        for pushed in producer.bulk((0..now).map(|_| job.clone())).await? {
            println!("{pushed}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is to run.
fn dispatch(matches: &ArgMatches) -> anyhow::Result<Dispatch> {
    let given = |name| matches.get_one::<String>(name);
    let job = given("job").map(|job| job.trim_start_matches('\\'));
    if let Some(file) = given("serialized") {
        return serialized(file, job);
    }
    let job = job.ok_or_else(|| anyhow!("no JOB: name its class, or give the object with --serialized"))?;
    let (class, method) = job.split_once('@').unwrap_or((job, "fire"));
    if !class.split('\\').all(is_name) || !is_name(method) {
        bail!("[{job}] is neither a class that PHP could have (App\\Jobs\\SendInvoice), nor Class@method");
    }
    match (given("data"), given("object")) {
        (_, Some(_)) if job.contains('@') => {
            bail!("[{job}] is a string job, which has no properties: give --data")
        }
        (Some(data), _) => Ok(Dispatch::named(job, json("data", data)?)),
        (None, None) if job.contains('@') => Ok(Dispatch::named(job, "")),
        (None, object) => {
            let properties = json("object", object.map_or("{}", String::as_str))?;
            Ok(php::object(job).of(&properties)?.into())
        }
    }
}

/// What PHP takes for a name: letters, digits and underscores, no digit first.
fn is_name(name: &str) -> bool {
    let word = |char: char| char.is_ascii_alphanumeric() || char == '_' || !char.is_ascii();
    !name.is_empty() && name.chars().all(word) && !name.starts_with(|char: char| char.is_ascii_digit())
}

/// The object in these bytes, of that class if one is named.
fn serialized(file: &str, class: Option<&str>) -> anyhow::Result<Dispatch> {
    let bytes = match file {
        "-" => stdin()?,
        file => std::fs::read(file).with_context(|| file.to_owned())?,
    };
    let object = php::parse(without_newline(&bytes))?;
    match (class, object.class()) {
        (Some(class), Some(found)) if !class.eq_ignore_ascii_case(&found) => {
            bail!("expected an object of [{class}] in --serialized, found one of [{found}]")
        }
        _ => Ok(object.into()),
    }
}

fn json(option: &str, text: &str) -> anyhow::Result<Value> {
    serde_json::from_str(text).with_context(|| format!("the --{option} option must be JSON, [{text}] given"))
}

/// How it is to run.
fn said(matches: &ArgMatches, mut job: Dispatch) -> anyhow::Result<Dispatch> {
    let number = |name| matches.get_one::<u32>(name).copied();
    let seconds = |seconds| Duration::from_secs(u64::from(seconds));
    if let Some(queue) = matches.get_one::<String>("queue") {
        // queue:work splits at commas, and would never look there.
        if queue.contains(',') {
            bail!("the --queue option must be one queue, [{queue}] given");
        }
        job = job.on_queue(queue);
    }
    if let Some(delay) = number("delay") {
        job = job.delay(seconds(delay));
    }
    if let Some(tries) = number("tries") {
        job = job.tries(tries);
    }
    if let Some(timeout) = number("timeout") {
        job = job.timeout(seconds(timeout));
    }
    if let Some(backoff) = matches.get_many::<u32>("backoff") {
        job = job.backoff(backoff.copied().map(seconds));
    }
    Ok(job)
}
