//! The commands of the binary, under artisan's names and without `queue:` as well.
//!
//! Uses the library's public items alone. Counterpart in PHP: `Illuminate\Queue\Console\*`.

mod clear;
mod decode;
mod doctor;
mod encode;
mod health;
mod inspect;
mod push;
mod work;

use std::process::ExitCode;

use clap::{ArgMatches, Command};
use handover::config::{Config, Low, flags};
use handover::queue::{RedisQueue, RedisQueueOptions};
use handover::redis::Redis;

/// Runs the command that the arguments name.
pub(crate) async fn run() -> anyhow::Result<ExitCode> {
    let root = Command::new("handover")
        .about("A queue worker in Rust in the place of php artisan queue:work")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(flags::arguments(
            Command::new("queue:work").alias("work").about("Process jobs on the queue as a daemon"),
        ))
        .subcommand(clear::command())
        .subcommand(inspect::command())
        .subcommand(health::command())
        .subcommand(push::command())
        .subcommand(decode::command())
        .subcommand(encode::command())
        .subcommand(doctor::command());
    match root.get_matches().subcommand() {
        Some(("queue:work", matches)) => work::run(&flags::typed(matches)).await,
        Some(("queue:clear", matches)) => clear::run(matches).await,
        Some(("queue:inspect", matches)) => inspect::run(matches).await,
        Some(("health", matches)) => health::run(matches).await,
        Some(("push", matches)) => push::run(matches).await,
        Some(("php:decode", matches)) => decode::run(matches),
        Some(("php:encode", _)) => encode::run(),
        Some(("doctor", matches)) => doctor::run(matches).await,
        _ => unreachable!("clap knows no other command"),
    }
}

/// The options by which a command finds the queue's Redis.
fn reaching(command: Command) -> Command {
    let option = |name: &'static str, value: &'static str, help: &'static str| {
        clap::Arg::new(name).long(name).value_name(value).help(help)
    };
    command
        .arg(clap::Arg::new("connection").help("The name of the queue connection [default: queue.default]"))
        .arg(option("queue", "QUEUES", "The queues, comma separated [default: the connection's]"))
        .arg(option("app", "DIR", "The Laravel or ThinkPHP app [default: this directory]"))
        .arg(option(
            "dialect",
            "NAME",
            "Whose jobs these are: laravel, think, think2, think1 or hyperf [default: laravel]",
        ))
        .arg(option(
            "dialect-version",
            "VERSION",
            "The version of think-queue or async-queue, where it is not the last",
        ))
        .arg(option("redis", "URL", "The queue's Redis, in place of the app's"))
        .arg(option("prefix", "PREFIX", "The key prefix, in place of the app's"))
        .arg(option(
            "config",
            "FILE",
            "A file of options [default: handover.toml in the app, where there is one]",
        ))
        .arg(
            clap::Arg::new("guess-config")
                .long("guess-config")
                .action(clap::ArgAction::SetTrue)
                .help("Without PHP and a cached configuration, guess it from .env"),
        )
}

/// What was typed of these options, and the environment's.
fn typed(matches: &ArgMatches) -> anyhow::Result<Low> {
    let mut low = Low::default();
    if matches.get_flag("guess-config") {
        low.flag("guess-config", "1");
    }
    for name in ["connection", "queue", "app", "dialect", "dialect-version", "redis", "prefix", "config"] {
        if let Some(value) = matches.get_one::<String>(name) {
            low.flag(name, value);
        }
    }
    low.environment()?;
    Ok(low)
}

/// The queues of these options.
fn reached(matches: &ArgMatches) -> anyhow::Result<(RedisQueue, Config)> {
    let config = Config::from_low(&typed(matches)?)?;
    for warning in config.app.iter().flat_map(|app| &app.warnings) {
        eprintln!("{warning}");
    }
    let dialect = config.dialect.clone();
    let queue = RedisQueue::new(Redis::new(&config.redis)?, dialect, RedisQueueOptions::default());
    Ok((queue, config))
}
