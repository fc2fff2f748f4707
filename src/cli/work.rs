//! `queue:work` of the plain binary: it has no handlers of its own, so PHP runs the jobs.
//!
//! Counterpart in PHP: `Illuminate\Queue\Console\WorkCommand`.

use std::process::ExitCode;

use handover::config::Low;
use handover::{Worker, telemetry};

/// Works the queues with a pool of PHP processes; without one it says what to do.
pub(crate) async fn run(low: &Low) -> anyhow::Result<ExitCode> {
    telemetry::log_to_stderr();
    let mut low = low.clone();
    low.environment()?;
    let worker = Worker::from_low(&low).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    if worker.has_no_handlers() {
        anyhow::bail!(
            "this binary has no handlers, so it would leave every job of [{queues}] to your PHP workers.\n\
             hint: with --php it runs every job in PHP processes of its own, with --http 'App\\Jobs\\*=https://host/jobs' it \
             sends a class's jobs to an endpoint. To run a class in Rust, write a worker of \
             your own and start it here with the same flags:\n\n    \
             let worker = handover::Worker::from_args()?.handle(\"App\\\\Jobs\\\\SendWelcomeEmail\", welcome);\n    \
             Ok(worker.run().await?.exit_code())\n\n\
             examples/demo.rs is a whole one.",
            queues = worker.polled().join(",")
        );
    }
    Ok(worker.run().await?.exit_code())
}
