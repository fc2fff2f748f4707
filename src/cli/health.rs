//! `health`: asks a worker whether it gets on, as a container's health check or a person does.
//!
//! Needs no curl and reads no app. Never takes longer than two seconds. Counterpart in PHP: none.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Arg, ArgMatches, Command};
use handover::config::Low;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const DEADLINE: Duration = Duration::from_secs(2);
/// More than any worker says of itself.
const MOST: u64 = 64 << 10;

pub(crate) fn command() -> Command {
    let address =
        Arg::new("address").value_name("ADDRESS").help("The worker's --health [default: $HANDOVER_HEALTH]");
    Command::new("health")
        .about("Ask a running worker for its health: its JSON, and exit code 0 where it gets on, else 1")
        .arg(address)
}

pub(crate) async fn run(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let mut low = Low::default();
    if let Some(address) = matches.get_one::<String>("address") {
        low.flag("health", address);
    }
    // It is asked wherever a container's commands run, whatever else is set there.
    low.variable("health");
    let address = low.get("health").context("name the worker's address, or set HANDOVER_HEALTH")?;
    let answer = tokio::time::timeout(DEADLINE, ask(address)).await;
    let answer = answer
        .map_err(|_| anyhow::anyhow!("no answer in {} seconds", DEADLINE.as_secs()))
        .and_then(|answer| answer.map_err(Into::into));
    let answer = answer.with_context(|| format!("[{address}]"))?;
    let (body, healthy) = read(&answer).with_context(|| format!("[{address}] is no worker's --health"))?;
    println!("{body}");
    Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The whole answer. In HTTP/1.0 it comes in one piece and ends with the connection.
async fn ask(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET /health HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MOST).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The body, and whether it and the status say that all is well; `None` where this is no answer of a worker.
fn read(answer: &str) -> Option<(&str, bool)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    let healthy = serde_json::from_str::<serde_json::Value>(body).ok()?.get("healthy")?.as_bool()?;
    Some((body, healthy && status == "200"))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn only_a_worker_that_says_so_is_healthy() {
        let well = "HTTP/1.0 200 OK\r\ncontent-length: 16\r\n\r\n{\"healthy\":true}";
        assert_eq!(read(well), Some(("{\"healthy\":true}", true)));
        assert_eq!(read(&well.replace("true", "false")), Some(("{\"healthy\":false}", false)));
        assert_eq!(
            read(&well.replace("200 OK", "503 Service Unavailable")).map(|(_, healthy)| healthy),
            Some(false)
        );
        for other in ["", "+PONG\r\n", "HTTP/1.1 200 OK\r\n\r\nhello", "HTTP/1.1 200 OK\r\n\r\n{}"] {
            assert_eq!(read(other), None, "{other:?}");
        }
    }
}
