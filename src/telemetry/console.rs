//! Job lines: artisan's RUNNING, DONE, FAIL, as Laravel 13 prints them, or the words of another framework.
//!
//! Formats only; each event that has a line gets exactly that.
//! Counterpart in PHP: `writeOutput` of `Illuminate\Queue\Console\WorkCommand` and `think\queue\command\Work`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::dialect::{Lines, Part, Wording};
use crate::events::{Event, Fate};
use crate::job::{Exception, Job};
use crate::memory;

/// How lines are laid out.
#[derive(Clone, Copy, Debug)]
pub struct Console {
    /// Columns of the terminal.
    pub width: usize,
    /// The timezone of the dates.
    pub timezone: Tz,
    /// With 1 or more, the job's id, connection and queue follow its name, and the memory in use its runtime.
    pub verbosity: u8,
    /// ANSI colours.
    pub colour: bool,
    /// Say at the start which queues are worked.
    pub banner: bool,
    /// Whose lines they are.
    pub lines: Lines,
}

impl Console {
    /// The lines of an event, newline included.
    pub fn lines(&self, event: &Event, now: DateTime<Utc>) -> Option<String> {
        match self.lines {
            Lines::Artisan => self.artisan(event, now),
            Lines::Worded(wording) => self.worded(wording, event, now),
        }
    }

    fn worded(&self, wording: &Wording, event: &Event, now: DateTime<Utc>) -> Option<String> {
        let (job, line, exception) = match event {
            Event::Processing { job } => (job, wording.processing, None),
            // That it failed was said.
            Event::Processed { fate: Fate::Failed, .. } => return None,
            Event::Processed { job, .. } => (job, wording.processed, None),
            Event::ReleasedAfterException { job, exception, .. } => (job, wording.released, Some(exception)),
            Event::Failed { job, exception, .. } => (job, wording.failed, Some(exception)),
            _ => return None,
        };
        let line = line?;
        let text = |parts: &[Part]| parts.iter().map(|part| self.part(*part, job, exception, now)).collect();
        let (painted, plain): (String, String) = (text(line.painted), text(line.plain));
        Some(format!("{}{plain}\n", self.paint(line.colours, &painted)))
    }

    fn part(&self, part: Part, job: &Job, exception: Option<&Exception>, now: DateTime<Utc>) -> String {
        match part {
            Part::Text(text) => text.to_owned(),
            Part::Date => self.date(now),
            Part::Id => job.payload.id().unwrap_or_default(),
            Part::Job => job.name().to_owned(),
            Part::ObjectOrCall => match job.payload.command() {
                Some(_) => job.name().to_owned(),
                None => format!("Job[{}]", job.name()),
            },
            Part::Exception => exception.map(Exception::to_string).unwrap_or_default(),
        }
    }

    fn date(&self, now: DateTime<Utc>) -> String {
        now.with_timezone(&self.timezone).format("%Y-%m-%d %H:%M:%S").to_string()
    }

    fn artisan(&self, event: &Event, now: DateTime<Utc>) -> Option<String> {
        match event {
            Event::WorkerStarting { queues, .. } if self.banner => {
                let queue = if queues.len() > 1 { "queues" } else { "queue" };
                let badge = self.paint("37;44", " INFO ");
                Some(format!("\n  {badge} Processing jobs from the [{}] {queue}.  \n\n", queues.join(",")))
            }
            Event::Processing { job } => Some(self.line(job, now, None, self.paint("33;1", "RUNNING"), 33)),
            Event::Processed { job, took, .. } => {
                Some(self.line(job, now, Some(*took), self.paint("32;1", "DONE"), 31))
            }
            Event::ReleasedAfterException { job, took, .. } => {
                Some(self.line(job, now, Some(*took), self.paint("33;1", "FAIL"), 31))
            }
            Event::Failed { job, took, .. } => {
                Some(self.line(job, now, Some(*took), self.paint("31;1", "FAIL"), 31))
            }
            _ => None,
        }
    }

    /// `  DATE NAME ..... RUNTIME STATUS`; `taken` are the columns of everything but name, runtime and dots.
    fn line(
        &self,
        job: &Job,
        now: DateTime<Utc>,
        took: Option<Duration>,
        status: String,
        taken: usize,
    ) -> String {
        let date = self.date(now);
        let mut name = job.name().to_owned();
        let mut shown = name.clone();
        if self.verbosity > 0 {
            let more = format!(" {} {} {}", job.payload.id().unwrap_or_default(), job.connection, job.queue);
            shown.push_str(&self.paint("90", &more));
            name.push_str(&more);
        }
        let mut runtime = took.map(runtime).unwrap_or_default();
        if self.verbosity > 0
            && let (false, Some(bytes)) = (runtime.is_empty(), memory::resident())
        {
            runtime = format!("{runtime} {}", megabytes(bytes));
        }
        let dots = self.width.saturating_sub(name.chars().count() + runtime.chars().count() + taken);
        let (dots, date) = (self.paint("90", &".".repeat(dots)), self.paint("90", &date));
        let runtime = if runtime.is_empty() { runtime } else { format!("{} ", self.paint("90", &runtime)) };
        format!("  {date} {shown} {dots} {runtime}{status}\n")
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// `24MB`, `24.5MB`: one decimal at most.
fn megabytes(bytes: u64) -> String {
    let tenths = (bytes as f64 / 1024.0 / 1024.0 * 10.0).round() / 10.0;
    format!("{tenths}MB")
}

/// `12.34ms` up to `1,000.00ms`, then whole `1s`, `1m 2s`, `1h 2m 5s`.
fn runtime(took: Duration) -> String {
    let milliseconds = took.as_secs_f64() * 1000.0;
    if milliseconds <= 1000.0 {
        let text = format!("{milliseconds:.2}ms");
        return if text == "1000.00ms" { "1,000.00ms".to_owned() } else { text };
    }
    let seconds = took.as_secs();
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let parts = parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}"));
    parts.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::{Dialect, Hyperf, Think};
    use crate::job::Payload;

    fn job() -> Job {
        let payload = Payload::parse(r#"{"displayName":"App\\Jobs\\Mail","id":"abc","attempts":0}"#).unwrap();
        Job { connection: "redis".into(), queue: "default".into(), attempts: 1, payload }
    }

    fn console(verbosity: u8) -> Console {
        Console {
            width: 80,
            timezone: Tz::UTC,
            verbosity,
            colour: false,
            banner: false,
            lines: Lines::Artisan,
        }
    }

    #[test]
    fn lines_fill_the_width_with_dots() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let running = console(0).lines(&Event::Processing { job: job() }, now).unwrap();
        assert_eq!(
            running,
            format!("  2023-11-14 22:13:20 App\\Jobs\\Mail {} RUNNING\n", ".".repeat(80 - 13 - 33))
        );
        let done = Event::Processed { job: job(), took: Duration::from_micros(12_340), fate: Fate::Deleted };
        let done = console(0).lines(&done, now).unwrap();
        assert_eq!(
            done,
            format!("  2023-11-14 22:13:20 App\\Jobs\\Mail {} 12.34ms DONE\n", ".".repeat(80 - 13 - 7 - 31))
        );
    }

    #[test]
    fn verbose_names_id_connection_queue_and_memory() {
        let line = console(1).lines(&Event::Processing { job: job() }, DateTime::default()).unwrap();
        assert!(line.contains("App\\Jobs\\Mail abc redis default ."), "{line}");
        let done = Event::Processed { job: job(), took: Duration::ZERO, fate: Fate::Deleted };
        let line = console(1).lines(&done, DateTime::default()).unwrap();
        assert!(line.contains(" 0.00ms ") && line.ends_with("MB DONE\n"), "{line}");
        assert_eq!([24 << 20, (24 << 20) + (1 << 19)].map(megabytes), ["24MB", "24.5MB"]);
    }

    #[test]
    fn think_lines_are_worded_by_version_and_coloured_on_a_terminal_alone() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let (took, exception) = (Duration::ZERO, Exception::msg("boom"));
        let events = [
            Event::Processing { job: job() },
            Event::Processed { job: job(), took, fate: Fate::Released },
            Event::Failed { job: job(), took, exception: exception.clone() },
            Event::Processed { job: job(), took, fate: Fate::Failed },
            Event::ReleasedAfterException { job: job(), took, exception, delay: 0 },
        ];
        let said = |version, colour| {
            let lines = Dialect::from(Think::new("").version(version)).lines();
            let console = Console { lines, colour, timezone: Tz::Asia__Shanghai, banner: true, ..console(0) };
            events.iter().filter_map(|event| console.lines(event, now)).collect::<Vec<_>>()
        };
        assert_eq!(
            said((3, 0, 9), false),
            [
                "[2023-11-15 06:13:20][abc] Processing: App\\Jobs\\Mail\n",
                "[2023-11-15 06:13:20][abc] Processed:  App\\Jobs\\Mail\n",
                "[2023-11-15 06:13:20][abc] Failed:     App\\Jobs\\Mail\n",
            ]
        );
        let failed = "\x1b[37;41m[2023-11-15 06:13:20][abc] Failed:    \x1b[0m App\\Jobs\\Mail\n";
        assert_eq!(said((3, 0, 9), true)[2], failed);
        assert_eq!(said((2, 0, 4), false), ["Processed: App\\Jobs\\Mail\n", "Failed: App\\Jobs\\Mail\n"]);
    }

    #[test]
    fn hyperf_lines_name_the_method_of_a_call_and_the_exception_of_a_failure() {
        let call = |class: &str, properties: &str, count: usize| {
            let job = format!("O:{}:\"{class}\":{count}:{{{properties}}}", class.len());
            let message = format!(
                "O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{{s:3:\"job\";{job}s:8:\"attempts\";i:0;}}"
            );
            let payload = Dialect::from(Hyperf::new("")).read(message.into_bytes().into()).unwrap();
            Job { connection: "redis".into(), queue: "{queue}".into(), attempts: 1, payload }
        };
        let mail = "s:5:\"class\";s:8:\"App\\Mail\";s:6:\"method\";s:4:\"send\";s:6:\"params\";a:0:{}";
        let call = call("Hyperf\\AsyncQueue\\AnnotationJob", mail, 3);
        let (took, exception) = (Duration::ZERO, Exception::msg("boom"));
        let told = format!("[2023-11-14 22:13:20] Failed Job[App\\Mail@send].\n{exception}\n");
        let console = Console { lines: Dialect::from(Hyperf::new("")).lines(), ..console(0) };
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let lines = |event| console.lines(&event, now);
        let begun = "[2023-11-14 22:13:20] Processing Job[App\\Mail@send].\n";
        assert_eq!(lines(Event::Processing { job: call.clone() }).as_deref(), Some(begun));
        assert_eq!(lines(Event::Failed { job: call, took, exception }), Some(told));
    }

    #[test]
    fn row_90_runtimes_change_unit_above_a_second() {
        for (milliseconds, expected) in [
            (0, "0.00ms"),
            (999, "999.00ms"),
            (1000, "1,000.00ms"),
            (1001, "1s"),
            (62_900, "1m 2s"),
            (3_725_000, "1h 2m 5s"),
        ] {
            assert_eq!(runtime(Duration::from_millis(milliseconds)), expected);
        }
    }
}
