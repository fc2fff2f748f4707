//! `queue:work` of the plain binary: it has no handlers, and says what to do.
//!
//! Counterpart in PHP: `Illuminate\Queue\Console\WorkCommand`.

use std::process::ExitCode;

use handover::config::{Config, Low};

/// Reads the configuration, so that what is wrong there is told, then says how a worker is made.
pub(crate) fn run(low: &Low) -> anyhow::Result<ExitCode> {
    let mut low = low.clone();
    low.variables(std::env::vars())?;
    let config = Config::from_low(&low)?;
    config.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    if config.screen.verbosity > 0 {
        config.sources.iter().for_each(|line| eprintln!("{line}"));
    }
    anyhow::bail!(
        "this binary has no handlers, so it would leave every job of [{queues}] to your PHP workers.\n\
         hint: write a worker of your own and start it here with the same flags:\n\n    \
         let worker = handover::Worker::from_args()?.handle(\"App\\\\Jobs\\\\SendWelcomeEmail\", welcome);\n    \
         Ok(worker.run().await?.exit_code())\n\n\
         examples/demo.rs is a whole one. Running PHP jobs without a line of Rust is not done yet.",
        queues = config.queues.join(",")
    )
}
