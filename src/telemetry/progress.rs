//! One line on a terminal while a backlog drains: how many jobs are done, failed and left, and how fast.
//!
//! Never beside job lines on the same screen, never where stderr is no terminal, and gone once nothing is left.
//! Counterpart in PHP: none; there one counts lines.

use std::collections::HashMap;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Screen;
use crate::events::{Event, Fate};

/// The line on the screen, where there is one: log lines step around it.
static LINE: OnceLock<ProgressBar> = OnceLock::new();

/// What the line tells.
#[derive(Default)]
struct Tally {
    left: HashMap<Arc<str>, u64>,
    running: u64,
    done: u64,
    failed: u64,
    since: Option<Instant>,
}

impl Tally {
    fn hear(&mut self, event: &Event) {
        match event {
            Event::Reserved { queue, left, .. } => {
                self.left.insert(queue.clone(), *left);
                if *left > 0 && self.since.is_none() {
                    *self = Tally {
                        left: std::mem::take(&mut self.left),
                        running: self.running,
                        ..Tally::default()
                    };
                    self.since = Some(Instant::now());
                }
            }
            Event::Processing { .. } => self.running += 1,
            // It was counted as failed already.
            Event::Processed { fate: Fate::Failed, .. } => {}
            Event::Processed { .. } | Event::ReleasedAfterException { .. } => {
                self.done += 1;
                self.ended();
            }
            Event::Failed { .. } => {
                self.failed += 1;
                self.ended();
            }
            Event::LeaseLost { .. } => self.ended(),
            _ => {}
        }
    }

    fn ended(&mut self) {
        self.running = self.running.saturating_sub(1);
    }

    /// The line; `None` once the backlog is gone.
    fn line(&mut self) -> Option<String> {
        let left: u64 = self.left.values().sum();
        let since = self.since?;
        if left == 0 {
            self.since = None;
            return None;
        }
        let rate = (self.done + self.failed) as f64 / since.elapsed().as_secs_f64().max(0.001);
        let Tally { done, failed, running, .. } = *self;
        Some(format!(
            "{} left, {} done, {} failed, {running} running, {rate:.0}/s",
            HumanCount(left),
            HumanCount(done),
            HumanCount(failed)
        ))
    }
}

/// A listener that draws the line on stderr; does nothing where that is no terminal, or where the job lines go to one.
pub fn progress(screen: Screen) -> impl Fn(&Event) + Send + Sync + 'static {
    let job_lines_on_a_terminal = !screen.quiet && io::stdout().is_terminal();
    let shown = io::stderr().is_terminal() && !job_lines_on_a_terminal;
    let bar = shown.then(|| {
        LINE.get_or_init(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(ProgressStyle::with_template("{msg}").expect("a fixed template"));
            bar
        })
    });
    let tally = Mutex::new(Tally::default());
    move |event| {
        let Some(bar) = bar else { return };
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        let shown_before = tally.since.is_some();
        tally.hear(event);
        match tally.line() {
            Some(line) if !matches!(event, Event::WorkerStopping { .. }) => bar.set_message(line),
            _ if shown_before => {
                // Clears the line; it comes back with the next backlog.
                bar.suspend(|| {});
                bar.set_message("");
            }
            _ => {}
        }
    }
}

/// stderr for log lines: each takes the progress line off the screen while it is written.
pub(super) struct Beside;

impl Write for Beside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match LINE.get() {
            Some(bar) => bar.suspend(|| io::stderr().write(bytes)),
            None => io::stderr().write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Job, Payload};

    #[test]
    fn the_line_counts_a_backlog_and_ends_with_it() {
        let payload = Payload::parse(r#"{"job":"A","attempts":0}"#).unwrap();
        let job = Job { connection: "redis".into(), queue: "default".into(), attempts: 1, payload };
        let mut tally = Tally::default();
        let reserved = |queue: &str, left| Event::Reserved { queue: queue.into(), jobs: 1, left };
        tally.hear(&reserved("high", 0));
        assert_eq!(tally.line(), None, "no backlog, no line");
        tally.hear(&reserved("default", 1200));
        tally.hear(&Event::Processing { job: job.clone() });
        assert!(tally.line().unwrap().starts_with("1,200 left, 0 done, 0 failed, 1 running, 0/s"));
        tally.hear(&Event::Processed { job, took: std::time::Duration::ZERO, fate: Fate::Deleted });
        assert!(tally.line().unwrap().starts_with("1,200 left, 1 done, 0 failed, 0 running"));
        tally.hear(&reserved("default", 0));
        assert_eq!(tally.line(), None);
    }
}
