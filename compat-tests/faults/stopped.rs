//! A worker that is stopped for longer than its leases and then goes on: what another took meanwhile is left alone,
//! what nobody took ends once. Never kills anything: that is in `promises.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::{length, stop, told, worker};
use crate::support::differential::{php, pooled};
use crate::support::original::{Crew, Ended, Settings, Taken};
use crate::support::process::{Running, wait_until};
use crate::support::redis::Redis;
use crate::support::site::Site;
use crate::support::snapshot::now;
use crate::support::tally::Tally;
use crate::support::wire::{Made, Wire, made, name_in, on_every_wire};

on_every_wire! {
    what_nobody_took_from_a_stopped_worker_ends_once,
}

on_every_wire! {
    laravel_taken: Laravel, think_taken: Think, think_before_3_taken: ThinkBefore3;
    what_another_of_ours_took_from_a_stopped_worker_is_left_alone
    what_another_handed_back_waits_until_it_no_longer_runs_here
}

on_every_wire! {
    think_original: Think, think_before_3_original: ThinkBefore3;
    what_the_original_took_from_a_stopped_worker_is_left_alone
}

on_every_wire! {
    hyperf_timeout: Hyperf;
    what_another_of_ours_gave_up_for_a_stopped_worker_stays_given_up
    what_the_original_gave_up_for_a_stopped_worker_stays_given_up
}

/// What jobs do once their gate is open; each is called so, too. `last` throws and may not run twice, the others may run
/// five times.
const GENTLE: &[&str] = &["complete", "throw", "release"];
const ALL: &[&str] = &["complete", "throw", "release", "fail", "last"];

const LOST: &str = "the reservation was lost";

/// Who runs jobs: native handlers, or a pool of PHP children.
#[derive(Clone, Copy, PartialEq)]
enum Side {
    Native,
    Pool,
}

/// When the handlers of the stopped worker come to their end.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// After it goes on.
    Later,
    /// As it goes on, while the other worker still runs the jobs.
    AtOnce,
    /// As it goes on, after the other worker has ended the jobs.
    AfterTheOther,
}

const ENDS: [End; 3] = [End::Later, End::AtOnce, End::AfterTheOther];

/// Each on a stage of its own, all at once: mostly they wait.
fn at_each(ends: &[End], play: impl Fn(End) + Sync) {
    thread::scope(|scope| {
        let played: Vec<_> = ends
            .iter()
            .map(|&end| {
                scope.spawn({
                    let play = &play;
                    move || play(end)
                })
            })
            .collect();
        let failed = played.into_iter().filter_map(|played| played.join().err()).count();
        assert_eq!(failed, 0, "see above");
    });
}

struct Stage {
    site: Site,
    jobs: Vec<&'static str>,
    /// Those among them that fail when they run again, and when they run a second time.
    fail: (usize, usize),
}

/// Of all that run the jobs.
const FLAGS: [&str; 3] = ["--timeout=0", "--tries=5", "--backoff=600"];

impl Stage {
    /// With these jobs pushed.
    fn new(wire: Wire, jobs: &[&'static str]) -> Stage {
        let site = Site::new(wire);
        // Where only a worker knows how often a job may run, none of them can differ from the others.
        let jobs: Vec<_> = jobs.iter().copied().filter(|job| *job != "last" || wire.has_tries()).collect();
        site.push(jobs.iter().map(|job| match *job {
            "last" => made("GateThen", "last").with("then", "throw").tries(1),
            job => made("GateThen", job).with("then", job).tries(5),
        }));
        let has = |job| usize::from(jobs.contains(&job));
        let fail = (has("last"), has("fail"));
        Stage { site, jobs, fail }
    }

    /// A worker with leases of two seconds that runs all jobs.
    fn running(&self, side: Side) -> Running {
        let mut command = match side {
            Side::Native => self.site.worker(&[&FLAGS[..], &["--concurrency=16"]].concat()),
            Side::Pool => pooled(self.site.app(), &[&FLAGS[..], &["--php=6"]].concat()),
        };
        command.env(self.site.retry_after(), "2").env("RUST_LOG", "debug");
        let worker = Running::start(command);
        wait_until("all jobs run", || self.site.traced("attempt 1 waits") == self.jobs.len());
        worker
    }

    fn stop_past_its_leases(&self, worker: &Running) {
        worker.signal("STOP");
        wait_until("the leases have run out", || {
            self.scores("reserved").values().all(|score| score + 1.0 < now())
        });
    }

    fn scores(&self, part: &str) -> BTreeMap<String, f64> {
        self.site.scores(part)
    }

    fn open(&self, attempt: u32) {
        self.jobs.iter().for_each(|job| self.site.open_gate(&format!("{job}-{attempt}")));
    }

    /// The exceptions of the failed jobs without their stacks.
    fn failures(&self) -> Vec<String> {
        let first = |text: &String| text.split(" in ").next().unwrap_or_default().to_owned();
        let mut failures: Vec<String> = self.site.failures().iter().map(first).collect();
        failures.sort();
        failures
    }

    /// What stands in Redis, without times, and in the table.
    fn state(&self) -> impl PartialEq + std::fmt::Debug + use<> {
        let members = |part| self.scores(part).into_keys().collect::<Vec<_>>();
        let own = [self.site.wire.timeout(), self.site.wire.failed()];
        let own = own.map(|key| key.map(|key| self.site.list(&key)));
        (members("reserved"), members("delayed"), self.site.ready(), own, self.failures())
    }
}

fn succeeds(name: String) -> Made {
    made("Succeed", name).with("args", json!([]))
}

/// Whoever takes the jobs of a stopped worker.
enum Others {
    Processes(Vec<Running>),
    Originals(Crew),
}

impl Others {
    fn stop(self) {
        match self {
            Others::Processes(others) => others.into_iter().for_each(|other| drop(stop(other))),
            Others::Originals(crew) => crew.stop(),
        }
    }
}

/// The other worker takes the jobs while the first is stopped; the first then goes on and has to leave them alone.
fn taken_by(others: impl Fn(&Site) -> Others, stage: Stage, side: Side, end: End) {
    let Stage { site, jobs, fail: (early, late) } = &stage;
    let worker = stage.running(side);
    stage.stop_past_its_leases(&worker);
    let others = others(site);
    let again = jobs.len() - early;
    wait_until("the others have them", || site.traced("attempt 2 waits") == again);
    wait_until("the last has failed, and is removed", || {
        stage.failures().len() == *early && stage.scores("reserved").len() == again
    });
    if end == End::AfterTheOther {
        stage.open(2);
        wait_until("the others are done", || stage.scores("reserved").is_empty());
        wait_until("they have failed", || stage.failures().len() == early + late);
    }
    let before = stage.state();
    if end != End::Later {
        stage.open(1);
    }
    worker.signal("CONT");
    if end == End::Later {
        // It has something else to do at once.
        site.push([succeeds("next".to_owned())]);
        wait_until("the next has run", || site.traced("Succeed next attempt 1") == 1);
        wait_until("nothing else is left", || stage.state() == before);
        stage.open(1);
    }
    wait_until("all are known to be lost", || told(&worker, LOST) == jobs.len());
    assert_eq!(stage.state(), before, "{end:?}: {}", worker.stderr());
    stage.open(2);
    wait_until("the others are done", || stage.scores("reserved").is_empty());
    wait_until("they have failed", || stage.failures().len() == early + late);
    stop(worker);
    others.stop();

    let mut expected = vec![site.wire.too_often("GateThen"); *early];
    expected.extend(vec!["LogicException: fail failed".to_owned(); *late]);
    expected.sort();
    assert_eq!(stage.failures(), expected, "{end:?}");
    assert_eq!(stage.scores("delayed").len(), 2, "{end:?}");
    assert_eq!(site.ready().len(), 0);
    assert_eq!(site.traced("attempt 1 passes"), jobs.len());
    assert_eq!(site.traced("attempt 2 passes"), again);
    let failed = site.trace().into_iter().filter(|line| line.contains(" failed ")).count();
    assert_eq!(failed, early + late, "{end:?}: {:?}", site.trace());
}

/// The other worker moves the jobs to the list of those whose time is up, where they stay, whatever becomes of them here.
fn given_up_by(others: impl Fn(&Site) -> Others, stage: Stage, end: End) {
    let Stage { site, jobs, .. } = &stage;
    let worker = stage.running(Side::Native);
    stage.stop_past_its_leases(&worker);
    let others = others(site);
    let timeout = site.wire.timeout().expect("a list of its own");
    wait_until("all are given up", || site.list(&timeout).len() == jobs.len());
    let before = stage.state();
    if end == End::AtOnce {
        stage.open(1);
    }
    worker.signal("CONT");
    if end == End::Later {
        wait_until("nothing else changes", || stage.state() == before);
        stage.open(1);
    }
    wait_until("all are known to be lost", || told(&worker, LOST) == jobs.len());
    assert_eq!(stage.state(), before, "{end:?}: {}", worker.stderr());
    stop(worker);
    others.stop();
    assert_eq!(stage.state(), before, "{end:?}");
    assert_eq!(site.traced("attempt 1 passes"), jobs.len());
    assert_eq!(site.trace().len(), 2 * jobs.len(), "{:?}", site.trace());
}

/// Real PHP workers, one for each job.
fn five_of_php(site: &Site) -> Others {
    Others::Processes((0..5).map(|_| Running::start(php(site.app(), &FLAGS))).collect())
}

/// Another worker of ours.
fn one_of_ours(site: &Site) -> Others {
    let flags = [&FLAGS[..], &["--concurrency=16"]].concat();
    Others::Processes(vec![Running::start(site.worker(&flags))])
}

/// Consumers that do what those of the framework do, one for each job.
fn five_originals(site: &Site) -> Others {
    let home = site.path().join("storage");
    let run = move |_, taken: &Taken| {
        let name = name_in(&taken.popped).into_owned();
        let trace = |what: &str| {
            let mut file = std::fs::OpenOptions::new().append(true).open(home.join("trace.log")).unwrap();
            let line = match name.as_str() {
                "next" => format!("Succeed next attempt {}\n", taken.attempts),
                name => format!("GateThen {name} attempt {} {what}\n", taken.attempts),
            };
            file.write_all(line.as_bytes()).unwrap();
        };
        trace("waits");
        if name == "next" {
            return Ended::Done;
        }
        let gate = home.join("gates").join(format!("{name}-{}", taken.attempts));
        wait_until("the gate to open", || gate.exists());
        trace("passes");
        if name == "complete" { Ended::Done } else { Ended::Again(600) }
    };
    let settings = Settings { retry_after: 600, block_for: None };
    Others::Originals(Crew::start(5, site.wire, &site.redis.url(0), settings, run))
}

fn what_another_of_ours_took_from_a_stopped_worker_is_left_alone(wire: Wire) {
    at_each(&ENDS, |end| taken_by(one_of_ours, Stage::new(wire, ALL), Side::Native, end));
}

fn what_the_original_took_from_a_stopped_worker_is_left_alone(wire: Wire) {
    at_each(&ENDS, |end| taken_by(five_originals, Stage::new(wire, GENTLE), Side::Native, end));
}

fn what_another_of_ours_gave_up_for_a_stopped_worker_stays_given_up(wire: Wire) {
    at_each(&[End::Later, End::AtOnce], |end| given_up_by(one_of_ours, Stage::new(wire, ALL), end));
}

fn what_the_original_gave_up_for_a_stopped_worker_stays_given_up(wire: Wire) {
    at_each(&[End::Later, End::AtOnce], |end| given_up_by(five_originals, Stage::new(wire, ALL), end));
}

#[test]
fn what_php_took_from_a_stopped_worker_is_left_alone() {
    at_each(&ENDS, |end| taken_by(five_of_php, Stage::new(Wire::Laravel, ALL), Side::Native, end));
}

#[test]
fn what_php_took_from_a_stopped_pool_is_left_alone() {
    at_each(&ENDS, |end| taken_by(five_of_php, Stage::new(Wire::Laravel, GENTLE), Side::Pool, end));
}

#[test]
fn what_another_of_ours_took_from_a_stopped_pool_is_left_alone() {
    at_each(&ENDS, |end| taken_by(one_of_ours, Stage::new(Wire::Laravel, GENTLE), Side::Pool, end));
}

#[test]
fn what_fails_in_a_stopped_pool_leaves_no_row_where_another_has_it() {
    at_each(&ENDS, |end| taken_by(one_of_ours, Stage::new(Wire::Laravel, ALL), Side::Pool, end));
}

fn what_another_handed_back_waits_until_it_no_longer_runs_here(wire: Wire) {
    let stage = Stage::new(wire, GENTLE);
    let site = &stage.site;
    let worker = stage.running(Side::Native);
    stage.stop_past_its_leases(&worker);
    let flags = [&FLAGS[..], &["--concurrency=3", "--grace=0"]].concat();
    let other = Running::start(site.worker(&flags));
    wait_until("the other has them", || site.traced("attempt 2 waits") == 3);
    stop(other);
    assert_eq!(site.ready().len(), 3);
    worker.signal("CONT");
    wait_until("they came back to it", || told(&worker, "why=StillRunning") > 0);
    assert_eq!(site.traced("attempt 2 waits"), 3, "{}", worker.stderr());
    stage.open(1);
    wait_until("all are known to be lost", || told(&worker, LOST) == 3);
    wait_until("they run again", || site.traced("attempt 2 waits") == 6);
    stage.open(2);
    wait_until("all is done", || stage.scores("reserved").is_empty());
    stop(worker);
    assert_eq!(site.traced("attempt 2 passes"), 3);
    assert_eq!(stage.scores("delayed").len(), 2);
    assert_eq!(site.trace().len(), 3 + 3 + 3 + 3 + 3);
}

/// Nobody else is there: the worker goes on, with more to do, and its jobs end as if nothing had been.
fn taken_by_nobody(stage: Stage, side: Side, end: End) {
    let Stage { site, jobs, fail: (last, _) } = &stage;
    let worker = stage.running(side);
    stage.stop_past_its_leases(&worker);
    site.push((0..20).map(|n| succeeds(format!("next-{n}"))));
    if end == End::AtOnce {
        stage.open(1);
    }
    worker.signal("CONT");
    if end == End::Later {
        wait_until("it renews again", || stage.scores("reserved").values().all(|score| *score > now()));
        stage.open(1);
    }
    wait_until("all is done", || stage.scores("reserved").is_empty() && site.ready().is_empty());
    let log = stop(worker);
    assert!(!log.contains(LOST), "{end:?}: {log}");
    let failures = ["LogicException: fail failed", "RuntimeException: last thrown"];
    assert_eq!(stage.failures(), failures[..1 + last], "{end:?}");
    assert_eq!(stage.scores("delayed").len(), 2);
    let trace = site.trace();
    assert_eq!(site.traced("attempt 1 passes"), jobs.len());
    assert_eq!(trace.iter().filter(|line| line.starts_with("Succeed next-")).count(), 20);
    assert!(!trace.iter().any(|line| line.contains("attempt 2")), "{end:?}: {trace:?}");
}

fn what_nobody_took_from_a_stopped_worker_ends_once(wire: Wire) {
    at_each(&[End::Later, End::AtOnce], |end| taken_by_nobody(Stage::new(wire, ALL), Side::Native, end));
}

#[test]
fn what_nobody_took_from_a_stopped_pool_ends_once() {
    at_each(&[End::Later, End::AtOnce], |end| {
        taken_by_nobody(Stage::new(Wire::Laravel, ALL), Side::Pool, end)
    });
}

#[test]
fn workers_that_are_stopped_in_the_midst_of_calls_lose_and_repeat_nothing() {
    let (redis, tally) = (Redis::start(), Tally::start());
    let names = || (0..2000).map(|n| format!("job-{n}"));
    let payloads: Vec<String> = names().map(|name| tally.payload(&name, 0.01)).collect();
    let mut connection = redis.connect(0);
    let () = redis::cmd("RPUSH").arg("queues:default").arg(payloads).query(&mut connection).unwrap();
    let workers =
        [0, 1, 2, 3].map(|_| Running::start(worker(&redis.url(0), &["--tries=1", "--concurrency=4"])));
    wait_until("a quarter has started", || tally.started() >= 500);
    workers.iter().for_each(|worker| worker.signal("STOP"));
    // Longer than any call may take: its answer is there and its time is over when they go on.
    std::thread::sleep(Duration::from_secs(6));
    workers.iter().for_each(|worker| worker.signal("CONT"));
    wait_until("nothing is left", || {
        length(&redis, "LLEN", "queues:default") == 0
            && length(&redis, "ZCARD", "queues:default:reserved") == 0
    });
    let logs = workers.map(stop);
    let account = tally.account(names());
    let told = format!("{}\n{}", account.summary(), logs.join("\n--\n"));
    assert_eq!((account.done, account.unexpected.len()), (2000, 0), "{told}");
    assert_eq!(account.repeated_without_cause(&BTreeSet::new()).len(), 0, "{told}");
}
