//! One story, two workers: the same pushed bytes are worked once by the real PHP worker and once by another, and what
//! both leave behind must be the same. Never knows what the other worker is: a command line, given by the test.

use std::process::Command;

use serde_json::Value;

use super::compare::{Exceptions, Side, differences, rewritten};
use super::laravel::App;
use super::process::{Finished, Running};
use super::redis::Redis;
use super::snapshot::{Snapshot, now, pour, shift};
use super::worker_binary;

/// The command line of a worker with these `queue:work` flags, started in the application's directory.
pub trait Worker: Fn(&App, &[&str]) -> Command + Sync {}
impl<F: Fn(&App, &[&str]) -> Command + Sync> Worker for F {}

/// The real one.
pub fn php(app: &App, flags: &[&str]) -> Command {
    app.php(&[&["queue:work", "--sleep=0.01"], flags].concat())
}

/// The one under test, one job at a time like the real one unless the flags say otherwise: the order of rows and
/// traces is compared, too.
pub fn handover(app: &App, flags: &[&str]) -> Command {
    let mut command = app.command(worker_binary());
    command.args(["--sleep=0.01", "--concurrency=1"]).args(flags);
    command
}

/// The plain binary with one PHP child: every job runs in the application itself.
pub fn pooled(app: &App, flags: &[&str]) -> Command {
    let mut command = app.command(env!("CARGO_BIN_EXE_handover"));
    command.args(["queue:work", "--php", "--sleep=0.01"]).args(flags);
    command
}

/// A story: jobs are pushed, a worker runs, time passes, in the order written.
#[derive(Default)]
pub struct Scenario {
    env: Vec<(String, String)>,
    steps: Vec<Step>,
    exceptions: bool,
    ignore_trace: bool,
    any_exit: bool,
}

enum Step {
    /// An artisan command that pushes.
    Push(Vec<String>),
    Work(Vec<String>, During),
    Both(Change),
}

type During = Box<dyn Fn(&App, &Running) + Sync>;
type Change = Box<dyn Fn(&Redis, &App) + Sync>;

impl Scenario {
    /// An empty story.
    pub fn new() -> Scenario {
        Scenario::default()
    }

    /// Sets a variable of the application's `.env`.
    pub fn env(mut self, name: &str, value: &str) -> Scenario {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Pushes what a JSON list names. Batches must come before any work: only then are their rows on both sides.
    pub fn push(self, specs: Value) -> Scenario {
        self.step(Step::Push(vec!["app:push".into(), specs.to_string()]))
    }

    /// Pushes what `app/Console/Story.php` has under this name.
    pub fn story(self, name: &str) -> Scenario {
        self.step(Step::Push(vec!["app:story".into(), name.into()]))
    }

    /// Runs the worker until it ends by itself (`--once`, `--max-jobs=n`, `--stop-when-empty`).
    pub fn work(self, flags: &[&str]) -> Scenario {
        self.work_while(flags, |_, _| {})
    }

    /// Runs the worker, does something meanwhile (wait for a trace line, send a signal, open a gate), awaits its end.
    pub fn work_while(self, flags: &[&str], during: impl Fn(&App, &Running) + Sync + 'static) -> Scenario {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        self.step(Step::Work(flags, Box::new(during)))
    }

    /// Lets seconds pass for everything delayed, reserved or locked.
    pub fn pass(self, seconds: i64) -> Scenario {
        self.both(move |redis, _| shift(redis, seconds))
    }

    /// Runs an artisan command on both sides.
    pub fn artisan(self, args: &[&str]) -> Scenario {
        let words: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        self.both(move |_, app| {
            app.artisan(&words.iter().map(String::as_str).collect::<Vec<_>>());
        })
    }

    /// Does anything else to both sides.
    pub fn both(self, change: impl Fn(&Redis, &App) + Sync + 'static) -> Scenario {
        self.step(Step::Both(Box::new(change)))
    }

    /// Compares class and message of exceptions, too.
    pub fn compare_exceptions(mut self) -> Scenario {
        self.exceptions = true;
        self
    }

    /// Leaves aside what user code wrote to its trace.
    pub fn ignore_trace(mut self) -> Scenario {
        self.ignore_trace = true;
        self
    }

    /// Leaves aside the exit code: where a job's time is up PHP's worker is killed, and only a child of ours.
    pub fn any_exit(mut self) -> Scenario {
        self.any_exit = true;
        self
    }

    fn step(mut self, step: Step) -> Scenario {
        self.steps.push(step);
        self
    }

    /// Asserts that a worker leaves what PHP leaves, and that it rewrites no job.
    #[track_caller]
    pub fn assert_drop_in(&self, worker: &dyn Worker) {
        let mut reworded = Vec::new();
        let mut found = self.play(&php, worker, |side| reworded.extend(rewritten(side)));
        found.append(&mut reworded);
        assert!(found.is_empty(), "not PHP's equal:\n{}", found.join("\n"));
    }

    /// How the second worker's after-states differ from the first's; the story ends at the first step that differs.
    pub fn differences(&self, expected: &dyn Worker, actual: &dyn Worker) -> Vec<String> {
        self.play(expected, actual, |_| {})
    }

    fn play(
        &self,
        expected: &dyn Worker,
        actual: &dyn Worker,
        mut inspect: impl FnMut(&Side),
    ) -> Vec<String> {
        let staging = Redis::start();
        let mut producer = App::new(&staging);
        self.env.iter().for_each(|(name, value)| producer.set_env(name, value));
        let first = self.steps.iter().take_while(|step| matches!(step, Step::Push(_))).count();
        let (before, rest) = self.steps.split_at(first);
        for step in before {
            if let Step::Push(words) = step {
                push(&producer, words);
            }
        }
        let sides = [Stage::new(&producer), Stage::new(&producer)];
        sides.iter().for_each(|side| pour(&staging, &side.redis));

        for (number, step) in rest.iter().enumerate() {
            match step {
                Step::Push(words) => {
                    staging.flush();
                    push(&producer, words);
                    sides.iter().for_each(|side| pour(&staging, &side.redis));
                }
                Step::Both(change) => sides.iter().for_each(|side| change(&side.redis, &side.app)),
                Step::Work(flags, during) => {
                    let [a, b] = &sides;
                    let (a, b) = std::thread::scope(|scope| {
                        let a = scope.spawn(|| a.work(expected, flags, during));
                        let b = b.work(actual, flags, during);
                        (a.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), b)
                    });
                    inspect(&b.side);
                    let found = self.judge(&a, &b);
                    if !found.is_empty() {
                        let step = format!("step {} (work {})", first + number + 1, flags.join(" "));
                        return found.into_iter().map(|line| format!("{step}: {line}")).collect();
                    }
                }
            }
        }
        Vec::new()
    }

    fn judge(&self, a: &Worked, b: &Worked) -> Vec<String> {
        let exceptions = if self.exceptions { Exceptions::Compared } else { Exceptions::Ignored };
        let mut found = differences(&a.side, &b.side, exceptions);
        if !self.any_exit && a.end.code != b.end.code {
            found.push(format!("exit code {} expected, {} found", a.end.code, b.end.code));
        }
        if !self.ignore_trace && a.trace != b.trace {
            found.push(format!("user code: {:?} expected, {:?} found", a.trace, b.trace));
        }
        if !found.is_empty() {
            found.push(format!("the worker's own words:\n{}{}", b.end.stdout, b.end.stderr));
        }
        found
    }
}

#[track_caller]
fn push(producer: &App, words: &[String]) {
    let done = producer.artisan(&words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(done.code, 0, "{words:?}: {}{}", done.stdout, done.stderr);
}

/// A side's own Redis and its own copy of the application.
struct Stage {
    redis: Redis,
    app: App,
}

/// What one run of a worker did.
struct Worked {
    side: Side,
    end: Finished,
    trace: Vec<String>,
}

impl Stage {
    fn new(producer: &App) -> Stage {
        let redis = Redis::start();
        let app = producer.twin(&redis);
        Stage { redis, app }
    }

    fn work(&self, worker: &dyn Worker, flags: &[String], during: &During) -> Worked {
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let before = Snapshot::take(&self.redis, &self.app);
        let from = now();
        let running = Running::start(worker(&self.app, &flags));
        during(&self.app, &running);
        let end = running.finish();
        let to = now();
        let after = Snapshot::take(&self.redis, &self.app);
        Worked { side: Side { before, after, window: (from, to) }, end, trace: self.app.trace() }
    }
}
