//! `php:decode`: serialized PHP on stdin, as JSON on stdout.
//!
//! Takes one value and nothing around it, such as a `data.command`; a newline at its end is passed over, as no
//! serialized value ends in one. Never takes a whole payload. Counterpart in PHP: none.

use std::io::{Read, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command};
use handover::php;

pub(crate) fn command() -> Command {
    let plain = Arg::new("plain").long("plain").action(ArgAction::SetTrue).help(
        "JSON to be looked at: dates, models and properties as one would say them; php:encode cannot read it",
    );
    Command::new("php:decode")
        .about(
            "Show what PHP's serialize() wrote, from stdin, as JSON that php:encode turns back byte for byte",
        )
        .arg(plain)
}

pub(crate) fn run(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let bytes = stdin()?;
    let value = php::parse(without_newline(&bytes))?;
    let json =
        if matches.get_flag("plain") { value.to_json()?.to_string() } else { php::json::to_lossless(&value) };
    writeln!(std::io::stdout(), "{json}").context("stdout")?;
    Ok(ExitCode::SUCCESS)
}

/// Without the newline that an editor or `echo` puts at the end.
pub(super) fn without_newline(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// All of stdin, or as much of it as shows that it is too much.
pub(super) fn stdin() -> anyhow::Result<Vec<u8>> {
    let most = php::Limits::default().size as u64 + 3;
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(most).read_to_end(&mut bytes).context("stdin")?;
    Ok(bytes)
}
