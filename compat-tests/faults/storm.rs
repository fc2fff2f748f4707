//! Storms: workers killed at random and Redis restarted under load, and every job accounted for. Short here, as long as
//! asked for under `make soak`. Never takes it from the time that something is done.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::worker;
use crate::support::process::{DEADLINE, Running};
use crate::support::redis::Redis;
use crate::support::snapshot::shift;
use crate::support::tally::{Account, Tally};

const READY: &str = "queues:default";
/// Jobs pushed by one command.
const BATCH: usize = 500;

/// When something happens again and again; each time somewhere between half and one and a half of this.
#[derive(Clone, Copy)]
enum Every {
    Never,
    /// So many jobs have started.
    Jobs(f64),
    Seconds(f64),
}

/// What a storm is made of.
struct Plan {
    jobs: usize,
    workers: usize,
    /// Slots of each worker.
    concurrency: usize,
    /// What a job takes, in seconds.
    takes: f64,
    /// What a killed worker held comes back after so many seconds; at the end they are made to pass.
    lease: i64,
    /// Nothing is pushed while more than this are ready.
    backlog: usize,
    /// A worker is killed, and another takes its place at once.
    kill: Every,
    /// Redis is killed, and started again with what it had written.
    restart: Every,
    seed: u64,
    /// Says every few seconds how far it is.
    talks: bool,
}

/// What became of a storm's jobs.
struct Report {
    account: Account,
    killed: BTreeSet<u32>,
    restarts: usize,
    /// Reservations that were left once all jobs had been taken and all workers had ended: held by the killed.
    orphans: usize,
    /// Jobs that are still somewhere in the queue's Redis.
    left: usize,
    /// From the first push until all was settled.
    took: Duration,
    seed: u64,
}

/// Counts down to the next time.
struct Beat {
    every: Every,
    next: f64,
}

impl Beat {
    fn new(every: Every, rng: &mut Rng) -> Beat {
        let mut beat = Beat { every, next: 0.0 };
        beat.advance(rng);
        beat
    }

    fn advance(&mut self, rng: &mut Rng) {
        self.next += match self.every {
            Every::Never => f64::INFINITY,
            Every::Jobs(step) | Every::Seconds(step) => step * (0.5 + rng.f64()),
        };
    }

    fn is_due(&mut self, watch: &Watch, rng: &mut Rng) -> bool {
        let at = match self.every {
            Every::Seconds(_) => watch.began.elapsed().as_secs_f64(),
            _ => watch.started as f64,
        };
        let due = at >= self.next;
        if due {
            self.advance(rng);
        }
        due
    }
}

/// How far a storm is.
struct Watch {
    began: Instant,
    /// When it was last said.
    said: Instant,
    /// Jobs that have started.
    started: usize,
    /// When the last of them did.
    moved: Instant,
}

struct Storm {
    plan: Plan,
    redis: Redis,
    tally: Tally,
    workers: Vec<Running>,
    rng: Rng,
    pushed: usize,
    killed: BTreeSet<u32>,
    restarts: usize,
}

/// Plays a plan to its end.
fn storm(plan: Plan) -> Report {
    let mut storm = Storm::new(plan);
    let began = Instant::now();
    storm.rage(began);
    // All that live end on their own terms: what is reserved then was held by the killed.
    storm.stop_all();
    let orphans = storm.reserved();
    shift(&storm.redis, 2 * storm.plan.lease);
    storm.sweep();
    let took = began.elapsed();
    let account = storm.tally.account((0..storm.pushed).map(name));
    let left = storm.left();
    let Storm { killed, restarts, plan, .. } = storm;
    Report { account, killed, restarts, orphans, left, took, seed: plan.seed }
}

fn name(number: usize) -> String {
    format!("job-{number}")
}

impl Storm {
    fn new(plan: Plan) -> Storm {
        let lasting: &[&str] = match plan.restart {
            Every::Never => &[],
            _ => &["--appendonly", "yes", "--appendfsync", "always"],
        };
        let (redis, tally) = (Redis::start_with(lasting), Tally::start());
        let (workers, killed, rng) = (Vec::new(), BTreeSet::new(), Rng::with_seed(plan.seed));
        let mut storm = Storm { plan, redis, tally, workers, rng, pushed: 0, killed, restarts: 0 };
        (0..storm.plan.workers).for_each(|_| storm.start(&[]));
        storm
    }

    fn start(&mut self, flags: &[&str]) {
        let slots = format!("--concurrency={}", self.plan.concurrency);
        let lease = format!("--lease={}", self.plan.lease);
        let flags = [&["--tries=0", "--quiet", &slots, &lease], flags].concat();
        self.workers.push(Running::start(worker(&self.redis.url(0), &flags)));
    }

    /// Pushes, kills and restarts until all jobs are pushed and none is ready any more, or nothing goes on.
    fn rage(&mut self, began: Instant) {
        let mut kill = Beat::new(self.plan.kill, &mut self.rng);
        let mut restart = Beat::new(self.plan.restart, &mut self.rng);
        let mut watch = Watch { began, said: began, started: 0, moved: began };
        while (self.pushed < self.plan.jobs || self.ready() > 0) && watch.moved.elapsed() < DEADLINE {
            self.push();
            self.look(&mut watch);
            if kill.is_due(&watch, &mut self.rng) {
                self.kill_one();
            }
            if restart.is_due(&watch, &mut self.rng) {
                self.redis.restart();
                self.restarts += 1;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn look(&self, watch: &mut Watch) {
        let started = self.tally.started();
        if started > watch.started {
            (watch.started, watch.moved) = (started, Instant::now());
        }
        if self.plan.talks && watch.said.elapsed() > Duration::from_secs(5) {
            watch.said = Instant::now();
            self.say(watch);
        }
    }

    /// Adds a batch to the backlog, unless it is as the plan wants it. One only: the blows must fall meanwhile.
    fn push(&mut self) {
        if self.pushed < self.plan.jobs && self.ready() < self.plan.backlog {
            let until = (self.pushed + BATCH).min(self.plan.jobs);
            let payload = |number| self.tally.payload(&name(number), self.plan.takes);
            let payloads: Vec<String> = (self.pushed..until).map(payload).collect();
            let mut push = redis::pipe();
            push.rpush(READY, &payloads).rpush(format!("{READY}:notify"), vec![1; payloads.len()]);
            push.exec(&mut self.redis.connect(0)).expect("a push");
            self.pushed = until;
        }
    }

    fn kill_one(&mut self) {
        let mut victim = self.workers.swap_remove(self.rng.usize(..self.workers.len()));
        assert!(victim.is_running(), "it ended by itself: {}", victim.stderr());
        self.killed.insert(victim.pid());
        victim.signal("KILL");
        complain(&victim.finish().stderr);
        self.start(&[]);
    }

    fn stop_all(&mut self) {
        self.workers.iter().for_each(|worker| worker.signal("TERM"));
        self.await_all();
    }

    /// Runs what is left, where something is.
    fn sweep(&mut self) {
        (0..self.plan.workers).for_each(|_| self.start(&["--stop-when-empty"]));
        self.await_all();
    }

    fn await_all(&mut self) {
        for worker in self.workers.drain(..) {
            let end = worker.finish();
            // One that had only just been started knew of no signals yet, and of no jobs.
            assert!([0, 128 + 15].contains(&end.code), "{}: {}", end.code, end.stderr);
            complain(&end.stderr);
        }
    }

    fn say(&self, Watch { began, started, .. }: &Watch) {
        let (seconds, ready, reserved) = (began.elapsed().as_secs(), self.ready(), self.reserved());
        let (pushed, kills, restarts) = (self.pushed, self.killed.len(), self.restarts);
        eprintln!(
            "{seconds} s: pushed {pushed}, started {started}, ready {ready}, reserved {reserved}, kills {kills}, \
             restarts {restarts}"
        );
    }

    fn ready(&self) -> usize {
        self.redis.query(&["LLEN", READY])
    }

    fn reserved(&self) -> usize {
        self.redis.query(&["ZCARD", &format!("{READY}:reserved")])
    }

    fn left(&self) -> usize {
        let delayed: usize = self.redis.query(&["ZCARD", &format!("{READY}:delayed")]);
        let aside: usize = self.redis.query(&["LLEN", &format!("{READY}:quarantine")]);
        self.ready() + self.reserved() + delayed + aside
    }
}

/// A worker may be killed, but it may never have lost its head before.
#[track_caller]
fn complain(stderr: &str) {
    let faults = ["panicked", "dropped unsettled"];
    assert!(!faults.iter().any(|fault| stderr.contains(fault)), "{stderr}");
}

impl Report {
    #[track_caller]
    fn assert_nothing_was_lost(&self) {
        let Account { lost, unexpected, ended_twice, repeated, .. } = &self.account;
        assert!(lost.is_empty(), "{self}\nlost: {lost:?}");
        assert!(unexpected.is_empty(), "{self}\nunexpected: {unexpected:?}");
        let unexplained = self.account.repeated_without_cause(&self.killed);
        assert!(unexplained.is_empty(), "{self}\nrepeated without cause: {unexplained:?}");
        assert!(
            ended_twice.iter().all(|job| repeated.contains_key(job)),
            "{self}\nended twice: {ended_twice:?}"
        );
        assert_eq!(self.left, 0, "{self}");
        let forgotten = if self.killed.is_empty() { self.orphans } else { 0 };
        assert_eq!(forgotten, 0, "{self}\nworkers that live on have left reservations behind");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unexplained = self.account.repeated_without_cause(&self.killed).len();
        let seconds = self.took.as_secs_f64();
        writeln!(f, "{}", self.account.summary())?;
        writeln!(
            f,
            "repeats: {} after a kill, {unexplained} unexplained",
            self.account.repeated.len() - unexplained
        )?;
        writeln!(f, "left in the queue: {}; held by the killed at the end: {}", self.left, self.orphans)?;
        writeln!(
            f,
            "kills: {}, restarts of Redis: {}, seed: {}",
            self.killed.len(),
            self.restarts,
            self.seed
        )?;
        write!(f, "{seconds:.1} s, {:.0} jobs per second", self.account.pushed as f64 / seconds)
    }
}

/// Short, and its blows fall by the count of jobs: so many fall on any machine.
fn short() -> Plan {
    Plan {
        jobs: 5000,
        workers: 4,
        concurrency: 32,
        takes: 0.01,
        // Longer than the slowest machine takes: a lease that runs out on the living is no fault of theirs.
        lease: 600,
        backlog: 500,
        kill: Every::Never,
        restart: Every::Never,
        seed: 7,
        talks: false,
    }
}

#[test]
fn no_job_is_lost_while_workers_are_killed_at_random() {
    let report = storm(Plan { kill: Every::Jobs(450.0), ..short() });
    report.assert_nothing_was_lost();
    assert!(report.killed.len() > 2, "{report}");
    assert!(!report.account.repeated.is_empty(), "{report}");
}

#[test]
fn no_job_is_lost_or_run_twice_while_redis_is_killed_under_load() {
    let report = storm(Plan { restart: Every::Jobs(600.0), ..short() });
    report.assert_nothing_was_lost();
    assert!(report.restarts > 0, "{report}");
}

#[test]
fn no_job_is_lost_while_workers_and_redis_are_killed() {
    let report = storm(Plan { kill: Every::Jobs(900.0), restart: Every::Jobs(1700.0), ..short() });
    report.assert_nothing_was_lost();
}

#[test]
#[ignore = "as long as it is asked to be: make soak"]
fn a_storm_as_long_as_asked_for() {
    let report = storm(Plan {
        jobs: setting("SOAK_JOBS") as usize,
        workers: setting("SOAK_WORKERS") as usize,
        concurrency: 64,
        lease: 10,
        backlog: 100_000,
        kill: seconds(setting("SOAK_KILL_EVERY")),
        restart: seconds(setting("SOAK_REDIS_EVERY")),
        seed: setting("SOAK_SEED") as u64,
        talks: true,
        ..short()
    });
    println!("\n{report}");
    report.assert_nothing_was_lost();
}

/// A number from the environment; `scripts/soak` sees to it that all are there.
fn setting(name: &str) -> f64 {
    let text = std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run it by make soak"));
    text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}"))
}

fn seconds(every: f64) -> Every {
    if every > 0.0 { Every::Seconds(every) } else { Every::Never }
}
