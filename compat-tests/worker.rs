//! The worker that the compatibility tests start: native handlers that do what the job classes of
//! `php-fixtures/laravel` do, line for line of their trace. Takes `queue:work`'s flags.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use handover::clock::Clock;
use handover::config::{Config, Low};
use handover::events::Event;
use handover::failed::{CacheLock, FileStore};
use handover::handler::Handler;
use handover::queue::BoxFuture;
use handover::{Context, Dispatch, Exception, Job, Outcome, Worker};
use redis::AsyncConnectionConfig;
use serde::Deserialize;

#[derive(Deserialize)]
struct Succeed {
    name: String,
    args: serde_json::Value,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct SendWelcomeEmail {
    name: String,
    user: handover::php::Model,
    subject: String,
    headers: std::collections::HashMap<String, String>,
    #[serde(rename = "replyTo")]
    reply_to: Option<String>,
}

#[derive(Deserialize)]
struct Throws {
    name: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    times: i64,
}

#[derive(Deserialize)]
struct Releases {
    name: String,
    wait: u64,
    times: i64,
}

#[derive(Deserialize)]
struct FailsItself {
    name: String,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Sleeps {
    name: String,
    seconds: f64,
}

#[derive(Deserialize)]
struct GateThen {
    name: String,
    then: String,
}

#[derive(Deserialize)]
struct EatsMemory {
    name: String,
    megabytes: usize,
}

#[derive(Deserialize)]
struct Counted {
    name: String,
    tally: String,
    seconds: f64,
    /// How often it goes back before it ends: it throws, or is released at once.
    #[serde(default)]
    times: i64,
    #[serde(default)]
    throws: bool,
}

/// One entry in the tally, over a connection kept for all jobs of this process.
async fn tell(tally: &str, job: &str, what: &str) -> Result<(), Exception> {
    type Kept = tokio::sync::Mutex<std::collections::HashMap<String, redis::aio::MultiplexedConnection>>;
    static KEPT: std::sync::LazyLock<Kept> = std::sync::LazyLock::new(Kept::default);
    let mut kept = KEPT.lock().await;
    if !kept.contains_key(tally) {
        let client = redis::Client::open(format!("redis+unix://{tally}"))?;
        // A worker that was stopped must not take its own absence for the tally's.
        let patient = AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
        kept.insert(tally.to_owned(), client.get_multiplexed_async_connection_with_config(&patient).await?);
    }
    let mut connection = kept[tally].clone();
    drop(kept);
    let entry = format!("rust:{}:{what}", std::process::id());
    Ok(redis::cmd("RPUSH").arg(job).arg(entry).exec_async(&mut connection).await?)
}

async fn counted(job: Counted, ctx: Context) -> Result<Outcome, Exception> {
    tell(&job.tally, &job.name, "starts").await?;
    if job.seconds > 0.0 {
        tokio::time::sleep(Duration::from_secs_f64(job.seconds)).await;
    }
    if ctx.job().attempts <= job.times {
        tell(&job.tally, &job.name, "returns").await?;
        return if job.throws { Err(boom("not yet")) } else { Ok(Outcome::Released(Duration::ZERO)) };
    }
    tell(&job.tally, &job.name, "ends").await?;
    // A string job of think-queue deletes itself.
    Ok(Outcome::Deleted)
}

fn trace(line: &str) {
    let path = std::env::var_os("TRACE_FILE")
        .map_or_else(|| Path::new("storage/trace.log").to_owned(), PathBuf::from);
    let mut file = OpenOptions::new().append(true).create(true).open(path).expect("the trace file");
    file.write_all(format!("{line}\n").as_bytes()).expect("a trace line");
}

fn short(job: &Job) -> String {
    let class = job.payload.class().unwrap_or(job.name());
    class.rsplit('\\').next().unwrap_or(class).to_owned()
}

fn ran(ctx: &Context, name: &str, what: &str) {
    let line = format!("{} {name} attempt {} {what}", short(ctx.job()), ctx.job().attempts);
    trace(line.trim_end());
}

/// `new Succeed($name)`, with what the traits of its base class add.
fn fresh(name: &str) -> Result<Dispatch, Exception> {
    let properties = serde_json::json!({
        "args": [], "name": name, "batchId": null, "job": null, "connection": null, "queue": null,
        "chainConnection": null, "chainQueue": null, "chainCatchCallbacks": null, "delay": null,
        "afterCommit": null, "middleware": [], "chained": [],
    });
    Ok(handover::php::object("App\\Jobs\\Succeed").of(&properties)?.into())
}

fn boom(message: &str) -> Exception {
    Exception::new("RuntimeException", message)
}

/// The `failed()` method of the fixtures' base class.
fn on_failed(event: &Event) {
    let Event::Failed { job, exception, .. } = event else { return };
    let Some(Ok(value)) = job.payload.command().map(|command| command.value()) else { return };
    let name = value.get("name").and_then(|name| name.as_str()).unwrap_or_default();
    let called = format!("{} {name}", short(job));
    trace(&format!("{} failed {}: {}", called.trim(), exception.class, exception.message));
}

async fn legacy(data: serde_json::Value, ctx: Context) -> Result<Outcome, Exception> {
    let job = ctx.job();
    let method = job.payload.job().and_then(|job| job.split_once('@')).map_or("fire", |(_, method)| method);
    trace(&format!("Legacy {method} attempt {} {data}", job.attempts));
    match method {
        "fire" => Ok(Outcome::Deleted),
        "again" if job.attempts > 1 => Ok(Outcome::Deleted),
        "again" => Ok(Outcome::Released(Duration::ZERO)),
        "throws" => Err(boom("legacy boom")),
        other => Err(boom(&format!("no method {other}"))),
    }
}

async fn gate_then(job: GateThen, ctx: Context) -> Result<Outcome, Exception> {
    ran(&ctx, &job.name, "waits");
    let gate = Path::new("storage/gates").join(format!("{}-{}", job.name, ctx.job().attempts));
    while !gate.exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    ran(&ctx, &job.name, "passes");
    match job.then.as_str() {
        "complete" => Ok(Outcome::Completed),
        "throw" => Err(boom(&format!("{} thrown", job.name))),
        "release" => Ok(Outcome::Released(Duration::from_secs(600))),
        "fail" => Ok(Outcome::Failed(Exception::new("LogicException", format!("{} failed", job.name)))),
        other => Err(boom(&format!("nobody knows how to {other}"))),
    }
}

/// Throws, and never comes to an end with what it does about its failure.
struct MournsForEver;

impl Handler for MournsForEver {
    fn run(&self, _: Context) -> BoxFuture<'static, Outcome> {
        Box::pin(async { Outcome::Threw(boom("boom")) })
    }

    fn failed(&self, _: Job, _: Exception) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

fn with_handlers(worker: Worker) -> Worker {
    worker
        .on_event(on_failed)
        .handle("App\\Jobs\\Succeed", async |job: Succeed, ctx: Context| {
            let none = job.args.as_array().is_some_and(Vec::is_empty);
            ran(&ctx, &job.name, &if none { String::new() } else { job.args.to_string() });
        })
        .handle("App\\Jobs\\SendWelcomeEmail", async |job: SendWelcomeEmail, ctx: Context| {
            assert_eq!(job.headers["X-Mailer"], "fixture");
            assert_eq!(job.reply_to, None);
            assert_eq!(job.user.id.as_int(), Some(1));
            ran(&ctx, &job.name, &format!("to User {}: {}", job.user.id, job.subject));
        })
        .handle("App\\Jobs\\OnOtherQueue", async |job: Named, ctx: Context| ran(&ctx, &job.name, ""))
        .handle("App\\Jobs\\Visibilities", async |job: Named, ctx: Context| ran(&ctx, &job.name, "parent"))
        .handle("App\\Jobs\\ThrowsAlways", async |job: Throws, ctx: Context| {
            ran(&ctx, &job.name, "");
            Err::<(), _>(boom(&job.message))
        })
        .handle("App\\Jobs\\RetriesUntil", async |job: Named, ctx: Context| {
            ran(&ctx, &job.name, "");
            Err::<(), _>(boom("not yet"))
        })
        .handle("App\\Jobs\\ThrowsThenSucceeds", async |job: Throws, ctx: Context| {
            ran(&ctx, &job.name, "");
            let attempt = ctx.job().attempts;
            if attempt > job.times {
                return Ok(());
            }
            Err(boom(&format!("attempt {attempt} of {} that throw", job.times)))
        })
        .handle("App\\Jobs\\ReleasesItself", async |job: Releases, ctx: Context| {
            ran(&ctx, &job.name, "");
            if ctx.job().attempts <= job.times {
                return Outcome::Released(Duration::from_secs(job.wait));
            }
            Outcome::Completed
        })
        .handle("App\\Jobs\\FailsItself", async |job: FailsItself, ctx: Context| {
            ran(&ctx, &job.name, "");
            Outcome::Failed(match job.message {
                Some(message) => Exception::new("LogicException", message),
                None => Exception::manually_failed(),
            })
        })
        .handle("App\\Jobs\\DeletesItself", async |job: Named, ctx: Context| {
            ran(&ctx, &job.name, "");
            Outcome::Deleted
        })
        .handle("App\\Jobs\\Sleeps", async |job: Sleeps, ctx: Context| {
            ran(&ctx, &job.name, "starts");
            tokio::time::sleep(Duration::from_secs_f64(job.seconds)).await;
            ran(&ctx, &job.name, "ends");
        })
        .handle("App\\Jobs\\WaitsForGate", async |job: Named, ctx: Context| {
            ran(&ctx, &job.name, "waits");
            while !Path::new("storage/gates").join(&job.name).exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            ran(&ctx, &job.name, "passes");
        })
        .handle("App\\Jobs\\GateThen", gate_then)
        .handle("LooksUp", async |job: Named, ctx: Context| {
            // A long job that looks up between its steps, which never wait.
            ran(&ctx, &job.name, "starts");
            loop {
                std::thread::sleep(Duration::from_millis(5));
                ctx.checkpoint()?;
                if Path::new("storage/gates").join(&job.name).exists() {
                    ran(&ctx, &job.name, "ends");
                    return Ok::<_, Exception>(());
                }
            }
        })
        .handle("Blocks", async |job: Named, ctx: Context| {
            // Cannot be ended from outside: it holds its thread.
            ran(&ctx, &job.name, "starts");
            while !Path::new("storage/gates").join(&job.name).exists() {
                std::thread::sleep(Duration::from_millis(5));
            }
        })
        .handle("App\\Jobs\\Dispatches", async |job: Named, ctx: Context| {
            ran(&ctx, &job.name, "");
            ctx.dispatch(fresh("same")?).await?;
            ctx.dispatch(fresh("other")?.on_queue("other")).await?;
            ctx.dispatch(fresh("later")?.delay(Duration::from_secs(60))).await?;
            // dispatchSync, which is no matter of the queue.
            trace("Succeed at once attempt 1");
            Ok::<_, Exception>(())
        })
        .handle("App\\Jobs\\EatsMemory", async |job: EatsMemory, ctx: Context| {
            ran(&ctx, &job.name, "");
            std::mem::forget(vec![1_u8; job.megabytes << 20]);
        })
        .handle("App\\Jobs\\Counted", counted)
        .handle("Counted", counted)
        .handle("app\\job\\Counted", counted)
        .handle("App\\Job\\Counted", counted)
        .route("MournsForEver", MournsForEver)
        .handle("Noop", async |_: serde_json::Value, _: Context| {})
        .handle("App\\Legacy", legacy)
}

/// The worker of the command line. Without an app there is nobody to say how short `retry_after` is but a test.
fn of_the_command_line() -> Result<Worker, Exception> {
    let Some(seconds) = std::env::var("RETRY_AFTER").ok().and_then(|text| text.parse().ok()) else {
        return Worker::from_args();
    };
    handover::telemetry::log_to_stderr();
    let mut low = Low::default();
    for flag in std::env::args().skip(1) {
        let flag = flag.trim_start_matches("--");
        let (name, value) = flag.split_once('=').unwrap_or((flag, "1"));
        low.flag(name, value);
    }
    let mut config = Config::from_low(&low)?;
    config.options.retry_after = seconds;
    Worker::from_config(&config)
}

#[tokio::main]
async fn main() -> handover::Result<ExitCode> {
    let mut worker = with_handlers(of_the_command_line()?);
    // A host whose clock is wrong by so many seconds.
    if let Some(shift) = std::env::var("CLOCK_SHIFT").ok().and_then(|shift| shift.parse().ok()) {
        worker = worker.clock(Clock::wrong_by(shift));
    }
    // Where there is no app to say where failed jobs are kept.
    if let Some(file) = std::env::var_os("FAILED_FILE").map(PathBuf::from) {
        let lock = CacheLock { folder: file.with_extension("locks"), prefixed: true };
        worker = worker.failed_jobs(FileStore::new(file, 10_000, lock, chrono_tz::UTC));
    }
    Ok(worker.run().await?.exit_code())
}
