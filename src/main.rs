//! The `handover` binary: parse, run, print the chain of errors, exit code.

mod cli;

use std::process::ExitCode;

/// One thread: this process waits for Redis and for PHP and computes next to nothing, and a job that passes from task to
/// task wakes no other thread on its way.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match cli::run().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("handover: {error:#}");
            ExitCode::FAILURE
        }
    }
}
