//! One scene: jobs, a worker in this process behind the proxy, one fault at one call, and what must be true in the end.
//! Never decides which faults meet which calls.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use handover::dialect::{Counting, Dialect, Keys};
use handover::events::{Event, Fate};
use handover::queue::{BoxFuture, Queue, RedisQueue, RedisQueueOptions};
use handover::redis::Redis as Link;
use handover::{Context, Exception, Job, Outcome, Worker, WorkerOptions};
use tokio::sync::{Barrier, watch};

use crate::faults::rows::Rows;
use crate::support::process::DEADLINE;
use crate::support::proxy::{Fault, Proxy, When};
use crate::support::redis::Redis;
use crate::support::snapshot::{self, Stored, shift};

/// More than one, so that a call carries several; fewer than the worker has slots, so that all run at once.
const JOBS: usize = 3;

/// The call that the fault falls on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Call {
    Reserve,
    /// Of a reserve whose answer was cut off.
    Recover,
    /// A reserve that moves due jobs first.
    MoveDelayed,
    /// A reserve that moves expired reservations first.
    MoveExpired,
    Renew,
    Release,
    Delete,
    /// The renewal that the end of a failing job begins with.
    Confirm,
    Fail,
    HandBack,
    Push,
    Later,
}

/// When a late command arrives. Either way another job waits on the ready list then, which is nobody's yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arrival {
    /// The worker may still take what the command takes.
    WhileTheJobsRun,
    /// The worker has ended.
    WhenAllIsDone,
}

/// The uuid of the job that waits.
const WAITING: &str = "waiting";

/// What has happened to the jobs so far.
struct Book {
    /// The attempts that each job had, in order, by uuid.
    runs: Mutex<BTreeMap<String, Vec<i64>>>,
    /// How often each was said to have ended for good.
    ends: Mutex<BTreeMap<String, usize>>,
    failed: Rows,
    /// What must never be said or seen.
    complaints: Mutex<Vec<String>>,
    /// How many jobs there are by now.
    jobs: AtomicUsize,
    renewed: watch::Sender<bool>,
    /// Passed by all jobs in their last run, before and after a late command arrives.
    all_run: Barrier,
}

/// Everything of one scene.
pub struct Scene {
    dialect: Dialect,
    keys: Keys,
    call: Call,
    fault: Fault,
    arrival: Arrival,
    redis: Redis,
    proxy: Proxy,
    queue: RedisQueue,
    book: Book,
}

impl Scene {
    pub fn new(dialect: Dialect, call: Call, fault: Fault, arrival: Arrival) -> Arc<Scene> {
        let redis = Redis::start();
        let proxy = Proxy::new(&redis);
        let link = Link::new(&proxy.url(0)).unwrap();
        let queue = RedisQueue::new(link, dialect.clone(), RedisQueueOptions::default());
        let book = Book {
            runs: Mutex::default(),
            ends: Mutex::default(),
            failed: Rows::default(),
            complaints: Mutex::default(),
            jobs: AtomicUsize::new(0),
            renewed: watch::Sender::new(false),
            all_run: Barrier::new(JOBS),
        };
        let keys = dialect.keys("default");
        Arc::new(Scene { dialect, keys, call, fault, arrival, redis, proxy, queue, book })
    }

    pub fn play(self: &Arc<Scene>) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.unwrap().block_on(async {
            // A worker that is at work already: it knows its Redis, and its Redis the scripts.
            self.drain("*").await;
            self.proxy.arm(self.when(), self.fault);
            match self.call {
                Call::Push | Call::Later => self.push_through_the_fault().await,
                _ => self.work_through_the_fault().await,
            }
            self.work_until_all_have_ended().await;
            self.check_the_end();
            if self.fault == Fault::Late && self.arrival == Arrival::WhenAllIsDone {
                self.deliver_beside_a_job_that_waits().await;
            }
            assert_eq!(self.proxy.held(), 0, "what was late has arrived");
        });
    }

    /// The producer hears of the fault; its job is there where the command was carried out, and once.
    async fn push_through_the_fault(&self) {
        let payload = &self.payloads()[0];
        let pushed = match self.call {
            Call::Push => self.queue.push("default", payload.as_bytes()).await,
            _ => self.queue.later("default", payload.as_bytes(), snapshot::now() as i64).await,
        };
        pushed.expect_err("the line failed");
        assert_eq!(self.proxy.fired(), 1, "{:?}", self.proxy.counts());
        let expected = if self.fault.is_about_the_answer() { vec![self.pushed(payload)] } else { Vec::new() };
        assert_eq!(self.standing(), expected);
        self.book.jobs.fetch_add(expected.len(), Ordering::SeqCst);
    }

    /// The jobs are where they are at first, and a worker makes the call.
    async fn work_through_the_fault(self: &Arc<Scene>) {
        let mut faults = 1;
        if self.call == Call::Recover {
            self.proxy.arm(When::script("settled, jobs, aside"), Fault::CutAfter);
            faults += 1;
        }
        let due = snapshot::now() as i64 - 10;
        for payload in self.payloads() {
            match self.call {
                Call::MoveDelayed => self.put(&self.keys.delayed, due, &payload),
                Call::MoveExpired => self.put(&self.keys.reserved, due, &payload),
                _ => self.produce(&payload),
            }
        }
        let before = self.standing();
        // Who is to hand the jobs back must not be able to run them.
        self.drain(if self.call == Call::HandBack { "Another" } else { "*" }).await;
        assert_eq!(self.proxy.fired(), faults, "{:?}", self.proxy.counts());
        if self.call == Call::HandBack {
            assert_eq!(self.standing(), before, "their bytes, in their first order");
        }
    }

    /// Where jobs have to wait for a lease, the lease passes.
    async fn work_until_all_have_ended(self: &Arc<Scene>) {
        for _ in 0..3 {
            self.reload();
            let (standing, ended) = (self.standing(), self.ended());
            assert_eq!(standing.len() + ended, self.jobs(), "{ended} ended, the others: {standing:#?}");
            if standing.is_empty() {
                return;
            }
            self.drain("*").await;
            shift(&self.redis, 200);
        }
        panic!("jobs that never end: {:#?}, {:#?}", self.standing(), self.book.runs.lock().unwrap());
    }

    fn check_the_end(&self) {
        let mut runs = std::mem::take(&mut *self.book.runs.lock().unwrap());
        assert_eq!(runs.len(), self.jobs(), "{runs:#?}");
        if self.arrival == Arrival::WhileTheJobsRun {
            assert_eq!(runs.remove(WAITING), Some(vec![1]), "the job that waited, too, runs once");
        }
        let expected: Vec<i64> = match self.call {
            Call::Release => vec![1, 2],
            // Where it came back by itself, the run that never ended counts.
            Call::MoveExpired if self.keys.timeout.is_none() => vec![2],
            _ => vec![1],
        };
        assert!(runs.values().all(|runs| *runs == expected), "each run spends one attempt: {runs:#?}");

        let ends = self.book.ends.lock().unwrap();
        assert!(ends.values().all(|ends| *ends == 1), "each ends once: {ends:#?}");

        let failed = self.book.failed.all();
        let mut payloads: Vec<&[u8]> = failed.iter().map(|row| &*row.payload).collect();
        payloads.sort_unstable();
        let expected = if self.fails() { self.payloads() } else { Vec::new() };
        assert_eq!(payloads, expected.iter().map(String::as_bytes).collect::<Vec<_>>(), "{failed:#?}");
        assert!(failed.iter().all(|row| row.exception.starts_with("RuntimeException: boom")), "{failed:#?}");
        if let Some(list) = &self.keys.failed {
            let mut members: Vec<String> = self.redis.query(&["LRANGE", list, "0", "-1"]);
            members.sort_unstable();
            assert_eq!(members, expected);
        }

        let complaints = self.book.complaints.lock().unwrap();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
        if let Some(notify) = &self.keys.notify {
            assert_eq!(self.redis.query::<usize>(&["LLEN", notify]), 0, "a wake-up for nobody");
        }
    }

    /// The worker has long worked on, and a job of somebody else waits.
    async fn deliver_beside_a_job_that_waits(self: &Arc<Scene>) {
        let waiting = self.payload(WAITING, 1, self.first());
        self.produce(&waiting);
        assert_eq!(self.proxy.held(), 1);
        self.proxy.deliver_late();
        let mut expected = vec![(self.keys.ready.clone(), waiting)];
        let mut once = BTreeMap::from([(WAITING.to_owned(), vec![1])]);
        if matches!(self.call, Call::Push | Call::Later) {
            expected.push(self.pushed(&self.payloads()[0]));
            once.insert("job-0".to_owned(), vec![1]);
        }
        let mut standing = self.standing();
        standing.sort();
        expected.sort();
        assert_eq!(standing, expected, "the job that waits is nobody's yet");
        self.drain("*").await;
        assert_eq!(*self.book.runs.lock().unwrap(), once);
        assert_eq!(self.standing(), []);
    }

    fn when(&self) -> When {
        match self.call {
            Call::Reserve | Call::MoveDelayed | Call::MoveExpired => When::script("settled, jobs, aside"),
            Call::Recover => When::script("The reservations that stand under one token"),
            Call::Renew | Call::Confirm => When::script("Moves the expiry"),
            Call::Release => When::word("release"),
            Call::Delete => When::word("delete"),
            Call::Fail => When::word("fail"),
            Call::HandBack => When::word("back"),
            Call::Push => When::script("Appends payloads"),
            Call::Later => When::command("ZADD"),
        }
    }

    /// How many jobs there are by now.
    fn jobs(&self) -> usize {
        self.book.jobs.load(Ordering::SeqCst)
    }

    /// The reserved bytes carry no more than the attempts before this one.
    fn counts_at_release(&self) -> bool {
        self.dialect.counting() == Counting::AtRelease
    }

    fn fails(&self) -> bool {
        matches!(self.call, Call::Confirm | Call::Fail)
    }

    /// The count in a payload that is pushed.
    fn first(&self) -> i64 {
        i64::from(self.dialect.counting() == Counting::AtReturn)
    }

    fn last_attempt(&self) -> i64 {
        match self.call {
            Call::Release => 2,
            Call::MoveExpired if self.keys.timeout.is_none() => 2,
            _ => 1,
        }
    }

    /// None has an attempt to spare: one spent for nothing would end it as attempted too often.
    fn payloads(&self) -> Vec<String> {
        let again = self.call == Call::MoveExpired && self.keys.timeout.is_none();
        let before = if again { 1 } else { self.first() };
        (0..JOBS).map(|n| self.payload(&format!("job-{n}"), self.last_attempt(), before)).collect()
    }

    fn payload(&self, uuid: &str, tries: i64, attempts: i64) -> String {
        match self.dialect.counting() {
            Counting::AtReserve | Counting::AtReturn => payload(uuid, tries, attempts),
            Counting::AtRelease => message(uuid, tries, attempts),
        }
    }

    /// How many jobs a worker has said to have ended for good.
    fn ended(&self) -> usize {
        self.book.ends.lock().unwrap().len()
    }

    /// As an app pushes it.
    fn produce(&self, payload: &str) {
        self.put_without_wake_up(payload);
        if let Some(notify) = &self.keys.notify {
            let _: i64 = self.redis.query(&["RPUSH", notify, "1"]);
        }
    }

    fn put_without_wake_up(&self, payload: &str) {
        self.book.jobs.fetch_add(1, Ordering::SeqCst);
        let push = if self.counts_at_release() { "LPUSH" } else { "RPUSH" };
        let _: i64 = self.redis.query(&[push, &self.keys.ready, payload]);
    }

    /// What does not come back by itself is brought back by an operator.
    fn reload(&self) {
        let Some(timeout) = &self.keys.timeout else { return };
        for _ in 0..JOBS {
            let _: Option<String> = self.redis.query(&["RPOPLPUSH", timeout, &self.keys.ready]);
        }
    }

    fn put(&self, key: &str, at: i64, payload: &str) {
        self.book.jobs.fetch_add(1, Ordering::SeqCst);
        let _: i64 = self.redis.query(&["ZADD", key, &at.to_string(), payload]);
    }

    /// Where a payload stands that was pushed by this scene's call.
    fn pushed(&self, payload: &str) -> (String, String) {
        let key = if self.call == Call::Later { &self.keys.delayed } else { &self.keys.ready };
        (key.clone(), payload.to_owned())
    }

    /// Key and payload of every job in Redis that has not failed, in order.
    fn standing(&self) -> Vec<(String, String)> {
        self.scored().into_iter().map(|(key, payload, _)| (key, payload)).collect()
    }

    /// The same with their scores.
    fn scored(&self) -> Vec<(String, String, f64)> {
        let mut found = Vec::new();
        for ((_, key), value) in snapshot::keys(&self.redis) {
            let members = match value.value {
                Stored::List(items)
                    if ![&self.keys.notify, &self.keys.failed].contains(&&Some(key.clone())) =>
                {
                    items.into_iter().map(|item| (item, 0.0)).collect()
                }
                Stored::Zset(members) => members,
                _ => continue,
            };
            let text = |payload| String::from_utf8(payload).expect("text");
            found.extend(members.into_iter().map(|(payload, at)| (key.clone(), text(payload), at)));
        }
        found
    }

    /// A worker for the jobs of this pattern works until the queue is empty.
    async fn drain(self: &Arc<Scene>, pattern: &str) {
        let (running, hearing) = (self.clone(), self.clone());
        let handler =
            move |context: Context| -> BoxFuture<'static, Outcome> { Box::pin(running.clone().run(context)) };
        // Short, so that it is renewed soon.
        let lease = (self.call == Call::Renew).then_some(3);
        let worker = Worker::on(self.queue.clone())
            .options(WorkerOptions { lease, tries: self.last_attempt(), ..WorkerOptions::default() })
            .route(pattern, handler)
            .failed_jobs(self.book.failed.clone())
            .on_event(move |event| hearing.hear(event));
        let drained = tokio::time::timeout(DEADLINE, worker.drain()).await;
        drained.expect("the worker comes to an end").expect("a good one");
    }

    async fn run(self: Arc<Scene>, context: Context) -> Outcome {
        let job = context.job();
        let uuid = uuid_of(job);
        self.book.runs.lock().unwrap().entry(uuid.clone()).or_default().push(job.attempts);
        if uuid == WAITING {
            return Outcome::Deleted;
        }
        if self.call == Call::Renew {
            // The first renewal meets the fault: one that succeeds shows that the worker is over it.
            let _ = self.book.renewed.subscribe().wait_for(|renewed| *renewed).await;
        }
        if self.arrival == Arrival::WhileTheJobsRun && job.attempts == self.last_attempt() {
            if self.book.all_run.wait().await.is_leader() {
                self.deliver_beside_jobs_that_run();
            }
            self.book.all_run.wait().await;
        }
        match self.call {
            Call::Release if job.attempts == 1 => Outcome::Released(Duration::ZERO),
            // There, an exception never fails a job at once.
            Call::Confirm | Call::Fail if !self.dialect.rules().fails_in_the_last_attempt => {
                Outcome::Failed(Exception::msg("boom"))
            }
            Call::Confirm | Call::Fail => Outcome::Threw(Exception::msg("boom")),
            // A string job of think-queue deletes itself.
            _ => Outcome::Deleted,
        }
    }

    fn deliver_beside_jobs_that_run(&self) {
        let before = self.running();
        // No wake-up comes with it, so that the late command finds it there.
        self.put_without_wake_up(&self.payload(WAITING, 1, self.first()));
        self.proxy.deliver_late();
        let after = self.running();
        // The worker itself may renew meanwhile.
        let stand = before.len() == after.len()
            && before.iter().zip(&after).all(|(before, after)| before.0 == after.0 && before.1 <= after.1);
        if !stand {
            self.complain(format!("what was late changed {before:#?} to {after:#?}"));
        }
    }

    /// Payload and lease of each job that runs, but for the one that waited.
    fn running(&self) -> Vec<(String, f64)> {
        let waiting = self.payload(WAITING, 1, if self.counts_at_release() { 0 } else { 1 });
        let reserved = self
            .scored()
            .into_iter()
            .filter(|(key, payload, _)| *key == self.keys.reserved && *payload != waiting);
        let mut running: Vec<_> = reserved.map(|(_, payload, at)| (payload, at)).collect();
        running.sort_by(|a, b| a.0.cmp(&b.0));
        running
    }

    fn hear(&self, event: &Event) {
        match event {
            Event::Renewed { .. } => drop(self.book.renewed.send_replace(true)),
            Event::Processed { job, fate: Fate::Deleted, .. } | Event::Failed { job, .. } => {
                let uuid = uuid_of(job);
                *self.book.ends.lock().unwrap().entry(uuid).or_default() += 1;
            }
            Event::LeaseLost { .. } | Event::LeftReserved { .. } | Event::Quarantined { .. } => {
                self.complain(format!("{event:?}"));
            }
            _ => {}
        }
    }

    fn complain(&self, complaint: String) {
        self.book.complaints.lock().unwrap().push(complaint);
    }
}

fn payload(uuid: &str, tries: i64, attempts: i64) -> String {
    format!(
        r#"{{"uuid":"{uuid}","displayName":"Job","job":"Illuminate\\Queue\\CallQueuedHandler@call","maxTries":{tries},"data":[],"attempts":{attempts}}}"#
    )
}

/// The same as a message of Hyperf, which counts the runs after the first.
fn message(uuid: &str, tries: i64, attempts: i64) -> String {
    let (length, more) = (uuid.len(), tries - 1);
    let job = format!(
        "O:9:\"App\\Job\\A\":2:{{s:11:\"maxAttempts\";i:{more};s:4:\"uuid\";s:{length}:\"{uuid}\";}}"
    );
    format!("O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{{s:3:\"job\";{job}s:8:\"attempts\";i:{attempts};}}")
}

fn uuid_of(job: &Job) -> String {
    job.payload.uuid().unwrap_or_else(|| {
        let command = job.payload.command().expect("an object").value().expect("a readable one");
        command.get("uuid").and_then(|uuid| uuid.as_str()).expect("a uuid").to_owned()
    })
}
