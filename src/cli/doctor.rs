//! `doctor`: what is wrong in the app's configuration and its Redis, a sentence each. Silent where nothing is.
//!
//! Changes nothing. Counterpart in PHP: none.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};
use handover::config::Config;
use handover::doctor;

use super::{reaching, typed};

pub(crate) fn command() -> Command {
    let timeout = Arg::new("timeout").long("timeout").value_name("SECONDS");
    reaching(Command::new("doctor").about("Name what is wrong in the app's configuration and its Redis"))
        .arg(timeout.help("The workers' --timeout, to hold against retry_after [default: 60]"))
}

pub(crate) async fn run(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let mut low = typed(matches)?;
    if let Some(timeout) = matches.get_one::<String>("timeout") {
        low.flag("timeout", timeout);
    }
    let findings = doctor::examine(&Config::from_low(&low)?).await?;
    for finding in &findings {
        println!("{}", finding.sentence);
    }
    if findings.is_empty() && std::io::stdout().is_terminal() {
        println!("Nothing found.");
    }
    let wrong = findings.iter().any(|finding| finding.is_wrong);
    Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
