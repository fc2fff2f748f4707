//! Why a worker stops, and with which exit code.
//!
//! Counterpart in PHP: `Illuminate\Queue\WorkerStopReason`, the constants of `Illuminate\Queue\Worker`.

use std::process::ExitCode;

/// Why a worker stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// A signal asked for it.
    Interrupted,
    /// `queue:restart` was run: its cache item has changed, or with a pool the worker's own settings.
    Restart,
    /// This process grew above `--memory`.
    Memory {
        /// The exit code that its framework has for that.
        status: u8,
    },
    /// `--stop-when-empty`: there was no job.
    Empty,
    /// `--stop-when-empty-for`: there was no job for so long.
    EmptyFor,
    /// `--max-time` is over.
    MaxTime,
    /// `--max-jobs` were run.
    MaxJobs,
    /// `--once`: one job was run, or none was there.
    Once,
}

impl StopReason {
    /// Laravel's name for it.
    pub fn name(self) -> &'static str {
        match self {
            StopReason::Interrupted => "interrupted",
            StopReason::Restart => "restart_signal",
            StopReason::Memory { .. } => "memory",
            StopReason::Empty => "empty",
            StopReason::EmptyFor => "empty_for",
            StopReason::MaxTime => "max_time",
            StopReason::MaxJobs => "max_jobs",
            StopReason::Once => "once",
        }
    }

    /// `queue:work`'s exit code: 0, and for memory 12 where the framework says so.
    pub fn status(self) -> u8 {
        match self {
            StopReason::Memory { status } => status,
            _ => 0,
        }
    }

    /// The same, for `main` to return.
    pub fn exit_code(self) -> ExitCode {
        self.status().into()
    }
}
