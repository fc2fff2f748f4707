//! A worker that is stopped for longer than its leases and then goes on: what another took meanwhile is left alone,
//! what nobody took ends once. Never kills anything: that is in `promises.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::{length, stop, told, traced, worker};
use crate::support::differential::{handover, php, pooled};
use crate::support::laravel::App;
use crate::support::process::{Running, wait_until};
use crate::support::redis::Redis;
use crate::support::snapshot::now;
use crate::support::tally::Tally;

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

struct Stage {
    redis: Redis,
    app: App,
    jobs: &'static [&'static str],
    /// Those among them that fail when they run again, and when they run a second time.
    fail: (usize, usize),
}

impl Stage {
    /// With these jobs pushed.
    fn new(jobs: &'static [&'static str]) -> Stage {
        let redis = Redis::start();
        let app = App::new(&redis);
        let specs = jobs.iter().map(|job| match *job {
            "last" => json!({"job": "GateThen", "args": ["last", "throw"], "with": {"tries": 1}}),
            job => json!({"job": "GateThen", "args": [job, job], "with": {"tries": 5, "backoff": 600}}),
        });
        app.push(&specs.collect());
        let has = |job| usize::from(jobs.contains(&job));
        Stage { redis, app, jobs, fail: (has("last"), has("fail")) }
    }

    /// A worker with leases of two seconds that runs all jobs.
    fn running(&self, side: Side) -> Running {
        let mut command = match side {
            Side::Native => handover(&self.app, &["--concurrency=16", "--timeout=0"]),
            Side::Pool => pooled(&self.app, &["--php=6", "--timeout=0"]),
        };
        command.env("REDIS_QUEUE_RETRY_AFTER", "2").env("RUST_LOG", "debug");
        let worker = Running::start(command);
        wait_until("all jobs run", || traced(&self.app, "attempt 1 waits") == self.jobs.len());
        worker
    }

    fn stop_past_its_leases(&self, worker: &Running) {
        worker.signal("STOP");
        wait_until("the leases have run out", || {
            self.scores("reserved").values().all(|score| score + 1.0 < now())
        });
    }

    fn key(&self, part: &str) -> String {
        self.app.key(&format!("queues:default:{part}"))
    }

    fn scores(&self, part: &str) -> BTreeMap<String, f64> {
        self.redis.query(&["ZRANGE", &self.key(part), "0", "-1", "WITHSCORES"])
    }

    fn open(&self, attempt: u32) {
        self.jobs.iter().for_each(|job| self.app.open_gate(&format!("{job}-{attempt}")));
    }

    /// The exceptions of the failed jobs without their stacks.
    fn failures(&self) -> Vec<String> {
        let rows = self.app.failed_rows();
        let first = |text: &str| text.split(" in ").next().unwrap_or_default().to_owned();
        let mut failures: Vec<String> =
            rows.iter().map(|row| first(row["exception"].as_str().unwrap())).collect();
        failures.sort();
        failures
    }

    /// What stands in Redis, without times, and in the table.
    fn state(&self) -> impl PartialEq + std::fmt::Debug + use<> {
        let members = |part| self.scores(part).into_keys().collect::<Vec<_>>();
        let ready = length(&self.redis, "LLEN", &self.app.key("queues:default"));
        (members("reserved"), members("delayed"), ready, self.failures())
    }
}

const TOO_OFTEN: &str = "Illuminate\\Queue\\MaxAttemptsExceededException: App\\Jobs\\GateThen has been attempted too many times or run too long. The job may have previously timed out.";

/// The other worker takes the jobs while the first is stopped; the first then goes on and has to leave them alone.
fn taken_by(others: impl Fn(&App) -> Vec<Running>, side: Side, jobs: &'static [&'static str], end: End) {
    let stage = Stage::new(jobs);
    let worker = stage.running(side);
    stage.stop_past_its_leases(&worker);
    let others = others(&stage.app);
    let (early, late) = stage.fail;
    let again = jobs.len() - early;
    wait_until("the others have them", || traced(&stage.app, "attempt 2 waits") == again);
    wait_until("the last has failed", || stage.failures().len() == early);
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
        stage.app.push(&json!([{"job": "Succeed", "args": ["next"]}]));
        stage.app.wait_for_trace("Succeed next attempt 1");
        wait_until("nothing else is left", || stage.state() == before);
        stage.open(1);
    }
    wait_until("all are known to be lost", || told(&worker, LOST) == jobs.len());
    assert_eq!(stage.state(), before, "{end:?}: {}", worker.stderr());
    stage.open(2);
    wait_until("the others are done", || stage.scores("reserved").is_empty());
    wait_until("they have failed", || stage.failures().len() == early + late);
    stop(worker);
    others.into_iter().for_each(|other| drop(stop(other)));

    let expected = [TOO_OFTEN, "LogicException: fail failed"];
    assert_eq!(stage.failures(), expected[..early + late], "{end:?}");
    assert_eq!(stage.scores("delayed").len(), 2, "{end:?}");
    assert_eq!(length(&stage.redis, "LLEN", &stage.app.key("queues:default")), 0);
    assert_eq!(traced(&stage.app, "attempt 1 passes"), jobs.len());
    assert_eq!(traced(&stage.app, "attempt 2 passes"), again);
    let failed = stage.app.trace().into_iter().filter(|line| line.contains(" failed ")).count();
    assert_eq!(failed, early + late, "{end:?}: {:?}", stage.app.trace());
}

/// Real PHP workers, one for each job.
fn five_of_php(app: &App) -> Vec<Running> {
    (0..5).map(|_| Running::start(php(app, &["--timeout=0"]))).collect()
}

/// Another worker of ours.
fn one_of_ours(app: &App) -> Vec<Running> {
    vec![Running::start(handover(app, &["--concurrency=16", "--timeout=0"]))]
}

#[test]
fn what_php_took_from_a_stopped_worker_is_left_alone() {
    ENDS.iter().for_each(|end| taken_by(five_of_php, Side::Native, ALL, *end));
}

#[test]
fn what_another_of_ours_took_from_a_stopped_worker_is_left_alone() {
    ENDS.iter().for_each(|end| taken_by(one_of_ours, Side::Native, ALL, *end));
}

#[test]
fn what_php_took_from_a_stopped_pool_is_left_alone() {
    ENDS.iter().for_each(|end| taken_by(five_of_php, Side::Pool, GENTLE, *end));
}

#[test]
fn what_another_of_ours_took_from_a_stopped_pool_is_left_alone() {
    ENDS.iter().for_each(|end| taken_by(one_of_ours, Side::Pool, GENTLE, *end));
}

#[test]
fn what_fails_in_a_stopped_pool_leaves_no_row_where_another_has_it() {
    ENDS.iter().for_each(|end| taken_by(one_of_ours, Side::Pool, ALL, *end));
}

#[test]
fn what_another_handed_back_waits_until_it_no_longer_runs_here() {
    let stage = Stage::new(GENTLE);
    let worker = stage.running(Side::Native);
    stage.stop_past_its_leases(&worker);
    let other = Running::start(handover(&stage.app, &["--timeout=0", "--concurrency=3", "--grace=0"]));
    wait_until("the other has them", || traced(&stage.app, "attempt 2 waits") == 3);
    stop(other);
    assert_eq!(length(&stage.redis, "LLEN", &stage.app.key("queues:default")), 3);
    worker.signal("CONT");
    wait_until("they came back to it", || told(&worker, "why=StillRunning") > 0);
    assert_eq!(traced(&stage.app, "attempt 2 waits"), 3, "{}", worker.stderr());
    stage.open(1);
    wait_until("all are known to be lost", || told(&worker, LOST) == 3);
    wait_until("they run again", || traced(&stage.app, "attempt 2 waits") == 6);
    stage.open(2);
    wait_until("all is done", || stage.scores("reserved").is_empty());
    stop(worker);
    assert_eq!(traced(&stage.app, "attempt 2 passes"), 3);
    assert_eq!(stage.scores("delayed").len(), 2);
    assert_eq!(stage.app.trace().len(), 3 + 3 + 3 + 3 + 3);
}

/// Nobody else is there: the worker goes on, with more to do, and its jobs end as if nothing had been.
fn taken_by_nobody(side: Side, end: End) {
    let stage = Stage::new(ALL);
    let worker = stage.running(side);
    stage.stop_past_its_leases(&worker);
    stage.app.push(&json!([{"job": "Succeed", "args": ["next-%i"], "count": 20}]));
    if end == End::AtOnce {
        stage.open(1);
    }
    worker.signal("CONT");
    if end == End::Later {
        wait_until("it renews again", || stage.scores("reserved").values().all(|score| *score > now()));
        stage.open(1);
    }
    wait_until("all is done", || {
        stage.scores("reserved").is_empty()
            && length(&stage.redis, "LLEN", &stage.app.key("queues:default")) == 0
    });
    let log = stop(worker);
    assert!(!log.contains(LOST), "{end:?}: {log}");
    assert_eq!(stage.failures(), ["LogicException: fail failed", "RuntimeException: last thrown"], "{end:?}");
    assert_eq!(stage.scores("delayed").len(), 2);
    let trace = stage.app.trace();
    assert_eq!(traced(&stage.app, "attempt 1 passes"), 5);
    assert_eq!(trace.iter().filter(|line| line.starts_with("Succeed next-")).count(), 20);
    assert!(!trace.iter().any(|line| line.contains("attempt 2")), "{end:?}: {trace:?}");
}

#[test]
fn what_nobody_took_from_a_stopped_worker_ends_once() {
    [End::Later, End::AtOnce].iter().for_each(|end| taken_by_nobody(Side::Native, *end));
}

#[test]
fn what_nobody_took_from_a_stopped_pool_ends_once() {
    [End::Later, End::AtOnce].iter().for_each(|end| taken_by_nobody(Side::Pool, *end));
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
