//! `php:encode`: the JSON of `php:decode` on stdin, as serialized PHP on stdout.
//!
//! Writes the bytes alone, with no newline after them. Never takes the JSON of `php:decode --plain`, from which
//! the bytes cannot be told. Counterpart in PHP: none.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Command;
use handover::php;

use super::decode::stdin;

pub(crate) fn command() -> Command {
    Command::new("php:encode")
        .about("Write what PHP's unserialize() reads, from the JSON of php:decode on stdin, byte for byte")
}

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let text = String::from_utf8(stdin()?).map_err(|error| {
        let (offset, length) = (error.utf8_error().valid_up_to(), error.as_bytes().len());
        anyhow::anyhow!(
            "json_decode(): Error at offset {offset} of {length} bytes: Malformed UTF-8 characters; \
             write such strings as {{\"bytes\": base64}}"
        )
    })?;
    let value = php::json::from_lossless(&text)?;
    let mut stdout = std::io::stdout();
    stdout.write_all(&value.write()).and_then(|()| stdout.flush()).context("stdout")?;
    Ok(ExitCode::SUCCESS)
}
