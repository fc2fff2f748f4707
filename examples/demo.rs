//! A worker as a user writes one: handlers for some job classes of a Laravel app, started in the app's directory; with
//! `--php` every other class runs in PHP, beside them.
//! `make demo` runs it; the summary at its end says what became of each kind of job.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use handover::events::{Event, Fate};
use handover::{Context, Exception, Outcome, Worker, php};
use serde::Deserialize;

/// The PHP object's properties, protected and private ones too.
#[derive(Deserialize)]
struct SendWelcomeEmail {
    user: php::Model,
    subject: String,
    headers: BTreeMap<String, String>,
}

async fn welcome(job: SendWelcomeEmail, ctx: Context) -> handover::Result<Outcome> {
    let line = format!("to user {}: {} ({} headers)", job.user.id, job.subject, job.headers.len());
    ctx.state::<Outbox>().0.lock().expect("the outbox").push(line);
    Ok(Outcome::Completed)
}

#[derive(Deserialize)]
struct Retried {
    times: i64,
}

/// Throws at its first attempts, as its PHP class does: `?` is PHP's throw.
async fn retried(job: Retried, ctx: Context) -> handover::Result<()> {
    if ctx.job().attempts <= job.times {
        "not a number".parse::<u32>()?;
    }
    Ok(())
}

#[derive(Deserialize)]
struct Released {
    wait: u64,
    times: i64,
}

async fn released(job: Released, ctx: Context) -> Outcome {
    if ctx.job().attempts <= job.times {
        return Outcome::Released(Duration::from_secs(job.wait));
    }
    Outcome::Completed
}

#[derive(Deserialize)]
struct Any {}

#[derive(Deserialize)]
struct Slow {
    seconds: f64,
}

async fn slow(job: Slow, _: Context) {
    tokio::time::sleep(Duration::from_secs_f64(job.seconds)).await;
}

/// Stands for a mail server.
struct Outbox(Mutex<Vec<String>>);

/// The kinds that have a handler below; the others are PHP's.
const NATIVE: [&str; 6] =
    ["ReleasesItself", "SendWelcomeEmail", "Sleeps", "Succeed", "ThrowsAlways", "ThrowsThenSucceeds"];

/// What became of one kind of job.
#[derive(Clone, Copy, Default)]
struct Count {
    done: u64,
    failed: u64,
    quarantined: u64,
    released: u64,
}

#[derive(Default)]
struct Tally {
    kinds: BTreeMap<String, Count>,
    last_line: Option<Instant>,
}

impl Tally {
    fn hear(&mut self, event: &Event) {
        match event {
            Event::Processed { job, fate: Fate::Deleted, .. } => self.of(job.name()).done += 1,
            Event::Processed { job, fate: Fate::Released, .. } => self.of(job.name()).released += 1,
            Event::ReleasedAfterException { job, .. } => self.of(job.name()).released += 1,
            Event::Failed { job, .. } => self.of(job.name()).failed += 1,
            Event::Quarantined { .. } => self.of("(unreadable)").quarantined += 1,
            _ => return,
        }
        if self.last_line.is_none_or(|at| at.elapsed() >= Duration::from_millis(250)) {
            self.last_line = Some(Instant::now());
            self.progress();
        }
    }

    fn of(&mut self, name: &str) -> &mut Count {
        let kind = name.rsplit('\\').next().unwrap_or(name);
        self.kinds.entry(kind.to_owned()).or_default()
    }

    fn sum(&self) -> Count {
        self.kinds.values().fold(Count::default(), |sum, count| Count {
            done: sum.done + count.done,
            failed: sum.failed + count.failed,
            quarantined: sum.quarantined + count.quarantined,
            released: sum.released + count.released,
        })
    }

    fn progress(&self) {
        let Count { done, failed, quarantined, released } = self.sum();
        eprintln!(
            "  {done} done, {failed} failed, {quarantined} quarantined, {released} released on the way"
        );
    }

    /// Prints the table; true where everything pushed is accounted for.
    fn summary(&self, pushed: &BTreeMap<String, u64>) -> bool {
        println!(
            "\n{:<20}{:<6}{:>8}{:>8}{:>8}{:>13}{:>10}",
            "kind", "in", "pushed", "done", "failed", "quarantined", "released"
        );
        let mut whole = true;
        for (kind, &pushed) in pushed {
            let Count { done, failed, quarantined, released } =
                self.kinds.get(kind).copied().unwrap_or_default();
            let equal = pushed == done + failed + quarantined;
            let mark = if equal { "" } else { "  <- not accounted for" };
            let place = match kind.as_str() {
                "(unreadable)" => "",
                native if NATIVE.contains(&native) => "Rust",
                _ => "PHP",
            };
            println!(
                "{kind:<20}{place:<6}{pushed:>8}{done:>8}{failed:>8}{quarantined:>13}{released:>10}{mark}"
            );
            whole &= equal;
        }
        let Count { done, failed, quarantined, released } = self.sum();
        let total: u64 = pushed.values().sum();
        println!("{:<26}{total:>8}{done:>8}{failed:>8}{quarantined:>13}{released:>10}", "all");
        whole && total == done + failed + quarantined
    }
}

#[tokio::main]
async fn main() -> handover::Result<ExitCode> {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let heard = tally.clone();
    let stopped = Worker::from_args()?
        .state(Outbox(Mutex::default()))
        .on_event(move |event| heard.lock().expect("the tally").hear(event))
        .handle("App\\Jobs\\SendWelcomeEmail", welcome)
        .handle("App\\Jobs\\ThrowsThenSucceeds", retried)
        .handle("App\\Jobs\\ReleasesItself", released)
        .handle("App\\Jobs\\Sleeps", slow)
        .handle("App\\Jobs\\ThrowsAlways", async |_: Any, _: Context| {
            Err::<(), _>(Exception::msg("no such address"))
        })
        .handle("App\\Jobs\\Succeed", async |_: Any, _: Context| Outcome::Completed)
        .run()
        .await?;

    let tally = tally.lock().expect("the tally");
    tally.progress();
    if let Ok(pushed) = std::env::var("DEMO_PUSHED") {
        let pushed: BTreeMap<String, u64> = serde_json::from_str(&pushed)?;
        if !tally.summary(&pushed) {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(stopped.exit_code())
}
