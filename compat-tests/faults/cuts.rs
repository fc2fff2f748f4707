//! One job, one call to Redis, one fault of the line at exactly that call. Whatever is lost on the way, the job ends
//! once, spends no attempt that was not a run, and stands in one place at most. Every call meets every fault.
//! Never has more than one worker at a time: what others do meanwhile is the business of other files.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use handover::dialect::Laravel;
use handover::events::Event;
use handover::failed::{self, FailedJob, FailedJobStore};
use handover::queue::{BoxFuture, Queue, RedisQueue, RedisQueueOptions};
use handover::redis::Redis as Link;
use handover::{Context, Exception, Outcome, Worker, WorkerOptions};
use tokio::sync::Notify;

use crate::support::process::DEADLINE;
use crate::support::proxy::{Fault, Proxy, When};
use crate::support::redis::Redis;
use crate::support::snapshot::{self, Stored, shift};

/// The call that the fault falls on.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    Reserve,
    /// Of a reserve whose answer was cut off.
    Recover,
    MoveDelayed,
    MoveExpired,
    Renew,
    Release,
    Delete,
    /// The renewal that a failing job begins with.
    Confirm,
    Fail,
    HandBack,
    Push,
    Later,
}

use Call::*;

const EVERY_CALL: [Call; 12] = [
    Reserve,
    Recover,
    MoveDelayed,
    MoveExpired,
    Renew,
    Release,
    Delete,
    Confirm,
    Fail,
    HandBack,
    Push,
    Later,
];

/// Those after which the job still has a run before it.
const BEFORE_A_RUN: [Call; 7] = [Reserve, Recover, MoveDelayed, MoveExpired, Renew, Release, HandBack];

/// When a late command arrives.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Arrival {
    WhileTheJobRuns,
    /// The job has ended and another one waits.
    Afterwards,
}

#[test]
fn a_line_cut_before_a_command_costs_nothing() {
    at_each(&EVERY_CALL, Fault::CutBefore, Arrival::Afterwards);
}

#[test]
fn a_line_cut_after_a_command_costs_nothing() {
    at_each(&EVERY_CALL, Fault::CutAfter, Arrival::Afterwards);
}

#[test]
fn half_a_command_costs_nothing() {
    at_each(&EVERY_CALL, Fault::TruncateCommand, Arrival::Afterwards);
}

#[test]
fn half_an_answer_costs_nothing() {
    at_each(&EVERY_CALL, Fault::TruncateAnswer, Arrival::Afterwards);
}

#[test]
fn a_line_that_swallows_a_command_in_silence_costs_nothing() {
    at_each(&EVERY_CALL, Fault::HalfOpenBefore, Arrival::Afterwards);
}

#[test]
fn a_line_that_swallows_an_answer_in_silence_costs_nothing() {
    at_each(&EVERY_CALL, Fault::HalfOpenAfter, Arrival::Afterwards);
}

#[test]
fn a_command_that_arrives_when_all_is_done_touches_nobody_elses_job() {
    at_each(&EVERY_CALL, Fault::Late, Arrival::Afterwards);
}

#[test]
fn a_command_that_arrives_while_its_job_runs_leaves_it_as_it_stands() {
    at_each(&BEFORE_A_RUN, Fault::Late, Arrival::WhileTheJobRuns);
}

/// All at once, each with a Redis of its own: a silent line takes as long as a call may take.
fn at_each(calls: &[Call], fault: Fault, arrival: Arrival) {
    let failed: Vec<Call> = thread::scope(|scope| {
        let playing = calls.iter().map(|&call| {
            let name = format!("{call:?} under {fault:?}");
            let play = move || Scene::new(call, fault, arrival).play();
            (call, thread::Builder::new().name(name).spawn_scoped(scope, play).expect("a thread"))
        });
        let playing: Vec<_> = playing.collect();
        playing.into_iter().filter_map(|(call, played)| played.join().err().map(|_| call)).collect()
    });
    assert!(failed.is_empty(), "{fault:?} at {failed:?}: see above");
}

/// What has happened to the jobs so far.
#[derive(Default)]
struct Book {
    /// Payload and attempt of each run, in order.
    runs: Mutex<Vec<(String, i64)>>,
    failed: Mutex<Vec<FailedJob>>,
    /// Whatever a worker says when it has lost or left a job.
    complaints: Mutex<Vec<String>>,
    renewed: Notify,
}

struct Scene {
    call: Call,
    fault: Fault,
    arrival: Arrival,
    redis: Redis,
    proxy: Proxy,
    queue: RedisQueue,
    book: Book,
}

impl Scene {
    fn new(call: Call, fault: Fault, arrival: Arrival) -> Arc<Scene> {
        let redis = Redis::start();
        let proxy = Proxy::new(&redis);
        let link = Link::new(&proxy.url(0)).unwrap();
        let queue = RedisQueue::new(link, Laravel::new(""), RedisQueueOptions::default());
        Arc::new(Scene { call, fault, arrival, redis, proxy, queue, book: Book::default() })
    }

    fn play(self: &Arc<Scene>) {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            self.begin().await;
            self.work_on().await;
            self.check_the_end();
            if self.fault == Fault::Late && self.arrival == Arrival::Afterwards {
                self.deliver_beside_another_job().await;
            }
        });
    }

    /// The job is where it is at first, and the call is made.
    async fn begin(self: &Arc<Scene>) {
        let now = snapshot::now() as i64;
        if self.call == Recover {
            self.proxy.arm(When::script("settled, jobs, aside"), Fault::CutAfter);
        }
        self.proxy.arm(self.when(), self.fault);
        let payload = self.payload();
        match self.call {
            Push => drop(self.queue.push("default", payload.as_bytes()).await.expect_err("the line failed")),
            Later => {
                drop(
                    self.queue.later("default", payload.as_bytes(), now).await.expect_err("the line failed"),
                );
            }
            MoveDelayed => self.place("queues:default:delayed", now - 10, &payload),
            MoveExpired => self.place("queues:default:reserved", now - 10, &payload),
            _ => self.push(&payload),
        }
        if matches!(self.call, Push | Later) {
            assert_eq!(self.standing().len(), usize::from(self.fault.is_about_the_answer()));
        } else {
            // The one who is to hand it back must not be able to run it.
            self.drain(if self.call == HandBack { "Another" } else { "*" }).await;
        }
        let faults = if self.call == Recover { 2 } else { 1 };
        assert_eq!(self.proxy.fired(), faults, "{:?}", self.proxy.counts());
    }

    /// Until the job has ended: where it has to wait for a lease, the lease passes.
    async fn work_on(self: &Arc<Scene>) {
        for _ in 0..3 {
            let standing = self.standing();
            let ended = self.has_ended();
            assert_eq!(
                standing.len() + usize::from(ended),
                self.jobs(),
                "in one place: {standing:?}, ended: {ended}"
            );
            if standing.is_empty() {
                return;
            }
            self.drain("*").await;
            shift(&self.redis, 200);
        }
        panic!("it never ends: {:?}, {:?}", self.standing(), self.book.runs.lock().unwrap());
    }

    fn check_the_end(&self) {
        let runs: Vec<i64> = self.book.runs.lock().unwrap().iter().map(|(_, attempt)| *attempt).collect();
        let expected: &[i64] = match self.call {
            Release => &[1, 2],
            MoveExpired => &[2],
            _ => &[1],
        };
        assert_eq!(runs, expected[..expected.len() * self.jobs()], "each run spends one attempt");
        let failed = self.book.failed.lock().unwrap();
        assert_eq!(failed.len(), usize::from(self.fails()), "{failed:?}");
        for row in failed.iter() {
            assert!(row.exception.starts_with("RuntimeException: boom"), "{}", row.exception);
            assert!(row.payload == self.payload(), "byte for byte");
        }
        let complaints = self.book.complaints.lock().unwrap();
        assert!(complaints.is_empty(), "{complaints:?}");
        assert_eq!(self.redis.query::<i64>(&["LLEN", "queues:default:notify"]), 0, "a token for nobody");
    }

    /// What was held back arrives while a job of somebody else waits.
    async fn deliver_beside_another_job(self: &Arc<Scene>) {
        let waiting = payload("waiting", 1, 0);
        self.push(&waiting);
        assert_eq!(self.proxy.held(), 1);
        self.proxy.deliver_late();
        let mut expected = vec![("queues:default".to_owned(), waiting.clone())];
        match self.call {
            Push => expected.push(("queues:default".to_owned(), self.payload())),
            Later => expected.push(("queues:default:delayed".to_owned(), self.payload())),
            _ => {}
        }
        assert_eq!(self.standing(), expected, "the job that waits is nobody's yet");
        self.book.runs.lock().unwrap().clear();
        self.drain("*").await;
        let mut runs = std::mem::take(&mut *self.book.runs.lock().unwrap());
        let mut expected: Vec<_> = expected.into_iter().map(|(_, payload)| (payload, 1)).collect();
        runs.sort();
        expected.sort();
        assert_eq!(runs, expected);
        assert_eq!(self.standing(), []);
    }

    fn when(&self) -> When {
        match self.call {
            Reserve | MoveDelayed | MoveExpired => When::script("settled, jobs, aside"),
            Recover => When::script("The reservations that stand under one token"),
            Renew | Confirm => When::script("Moves the expiry"),
            Release => When::word("release"),
            Delete | Fail => When::word("delete"),
            HandBack => When::word("back"),
            Push => When::script("Appends a payload"),
            Later => When::command("ZADD"),
        }
    }

    /// How many jobs there are in all: a push may have failed before it reached Redis.
    fn jobs(&self) -> usize {
        let pushed = !matches!(self.call, Push | Later) || self.fault.is_about_the_answer();
        usize::from(pushed)
    }

    fn fails(&self) -> bool {
        matches!(self.call, Confirm | Fail)
    }

    /// No attempt may be spent for nothing: there is none to spare.
    fn payload(&self) -> String {
        match self.call {
            Release => payload("job", 2, 0),
            MoveExpired => payload("job", 2, 1),
            _ => payload("job", 1, 0),
        }
    }

    /// Settled for good, as its handler and its worker saw it.
    fn has_ended(&self) -> bool {
        let last = if matches!(self.call, Release | MoveExpired) { 2 } else { 1 };
        self.book.runs.lock().unwrap().iter().any(|(_, attempt)| *attempt >= last)
    }

    /// As a producer does it, on a line of its own.
    fn push(&self, payload: &str) {
        let _: i64 = self.redis.query(&["RPUSH", "queues:default", payload]);
        let _: i64 = self.redis.query(&["RPUSH", "queues:default:notify", "1"]);
    }

    fn place(&self, key: &str, at: i64, payload: &str) {
        let _: i64 = self.redis.query(&["ZADD", key, &at.to_string(), payload]);
    }

    /// Key and payload of every job in Redis.
    fn standing(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for ((_, key), value) in snapshot::keys(&self.redis) {
            let payloads: Vec<Vec<u8>> = match value.value {
                Stored::List(items) if !key.ends_with(":notify") => items,
                Stored::Zset(members) => members.into_iter().map(|(member, _)| member).collect(),
                _ => continue,
            };
            found.extend(payloads.into_iter().map(|it| (key.clone(), String::from_utf8(it).expect("text"))));
        }
        found
    }

    /// A worker for this pattern of jobs works until the queue is empty.
    async fn drain(self: &Arc<Scene>, pattern: &str) {
        let (scene, book) = (self.clone(), self.clone());
        let handler =
            move |context: Context| -> BoxFuture<'static, Outcome> { Box::pin(scene.clone().run(context)) };
        let lease = (self.call == Renew).then_some(3);
        let worker = Worker::on(self.queue.clone())
            .options(WorkerOptions { lease, ..WorkerOptions::default() })
            .route(pattern, handler)
            .failed_jobs(Kept(self.clone()))
            .on_event(move |event| book.hear(event));
        let drained = tokio::time::timeout(DEADLINE, worker.drain()).await;
        drained.expect("the worker comes to an end").expect("and a good one");
    }

    async fn run(self: Arc<Scene>, context: Context) -> Outcome {
        let job = context.job();
        let payload = String::from_utf8_lossy(job.payload.raw()).into_owned();
        self.book.runs.lock().unwrap().push((payload, job.attempts));
        if self.call == Renew {
            // The first renewal meets the fault; the next one that succeeds is the worker's recovery.
            self.book.renewed.notified().await;
        }
        if self.arrival == Arrival::WhileTheJobRuns && self.proxy.held() > 0 {
            let before = snapshot::keys(&self.redis);
            self.proxy.deliver_late();
            assert_eq!(snapshot::keys(&self.redis), before, "the job that runs stands as it stood");
        }
        match self.call {
            Release if job.attempts == 1 => Outcome::Released(Duration::ZERO),
            Confirm | Fail => Outcome::Threw(Exception::msg("boom")),
            _ => Outcome::Completed,
        }
    }

    fn hear(&self, event: &Event) {
        match event {
            Event::Renewed { .. } => self.book.renewed.notify_one(),
            Event::LeaseLost { .. } | Event::LeftReserved { .. } | Event::Quarantined { .. } => {
                self.book.complaints.lock().unwrap().push(format!("{event:?}"));
            }
            _ => {}
        }
    }
}

fn payload(id: &str, tries: u32, attempts: u32) -> String {
    format!(
        r#"{{"uuid":"{id}","displayName":"Job","job":"Illuminate\\Queue\\CallQueuedHandler@call","maxTries":{tries},"data":[],"attempts":{attempts}}}"#
    )
}

/// The failed jobs of a scene.
struct Kept(Arc<Scene>);

impl FailedJobStore for Kept {
    fn record<'a>(&'a self, job: &'a FailedJob) -> BoxFuture<'a, Result<(), failed::Error>> {
        self.0.book.failed.lock().unwrap().push(job.clone());
        Box::pin(async { Ok(()) })
    }

    fn withdraw<'a>(&'a self, job: &'a FailedJob) -> BoxFuture<'a, Result<(), failed::Error>> {
        self.0.book.failed.lock().unwrap().retain(|kept| kept != job);
        Box::pin(async { Ok(()) })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<FailedJob>, failed::Error>> {
        let jobs = self.0.book.failed.lock().unwrap().clone();
        Box::pin(async { Ok(jobs) })
    }
}
