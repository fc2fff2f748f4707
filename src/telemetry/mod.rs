//! Consumers of events: the framework's job lines on stdout, everything else as log lines on stderr.
//!
//! Nothing in here changes what the worker does, and nothing else prints.

mod console;
#[cfg(feature = "health")]
mod health;
mod json;
mod log;
#[cfg(feature = "cli")]
mod progress;

use std::io::{IsTerminal, Write};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

pub use console::Console;
#[cfg(feature = "health")]
pub use health::serve_health;
pub use json::json_line;
pub use log::log;
#[cfg(feature = "cli")]
pub use progress::progress;

use crate::dialect::Lines;
use crate::events::Event;

/// What is printed on stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// Job lines as JSON.
    pub json: bool,
    /// No job lines.
    pub quiet: bool,
    /// How often `-v` was given.
    pub verbosity: u8,
    /// Colours, where said; else a terminal gets them.
    pub ansi: Option<bool>,
    /// Whose job lines.
    pub lines: Lines,
}

/// A listener that prints job lines on stdout, times in this timezone. A closed stdout is nobody's failure.
pub fn job_lines(screen: Screen, timezone: Tz) -> impl Fn(&Event) + Send + Sync + 'static {
    let terminal = std::io::stdout().is_terminal();
    let width = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).unwrap_or(80);
    let colour = screen.ansi.unwrap_or(terminal);
    let Screen { verbosity, lines, .. } = screen;
    let console = Console { width, timezone, verbosity, colour, banner: terminal, lines };
    move |event| {
        let now: DateTime<Utc> = Utc::now();
        let lines = match screen {
            Screen { quiet: true, .. } => None,
            Screen { json: true, .. } => json_line(event, now.with_timezone(&timezone)),
            _ => console.lines(event, now),
        };
        if let Some(lines) = lines {
            let _ = std::io::stdout().lock().write_all(lines.as_bytes());
        }
    }
}

/// Sends log lines to stderr, as `RUST_LOG` says (else `info`), unless the program logs somewhere already.
#[cfg(feature = "cli")]
pub fn log_to_stderr() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let ansi = std::io::stderr().is_terminal();
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| progress::Beside)
        .with_ansi(ansi)
        .try_init();
}
