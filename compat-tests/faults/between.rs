//! A line that is cut between two commands: a consumer that takes, releases or moves a job by several commands loses it,
//! which is shown first; a worker of ours loses none, whichever of its calls meets the same cut. Never has both at once:
//! that is in `beside.rs`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use handover::queue::{BoxFuture, RedisQueue, RedisQueueOptions};
use handover::redis::Redis as Link;
use handover::{Context, Exception, Outcome, Worker, WorkerOptions};

use super::rows::Rows;
use crate::support::original::{self, Ended, Settings, Taken, work_one};
use crate::support::process::DEADLINE;
use crate::support::proxy::{Fault, Proxy, When};
use crate::support::redis::Redis;
use crate::support::snapshot::{self, Stored, shift};
use crate::support::wire::{Wire, made, name_in, on_every_wire};

/// One of each: it is due, it ran out elsewhere, it goes back once, it fails, it just runs.
const JOBS: [&str; 5] = ["due", "expired", "again", "fails", "runs"];

/// The jobs, behind a proxy.
struct Scene {
    wire: Wire,
    redis: Redis,
    proxy: Proxy,
    /// How often each ended for good.
    ended: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Scene {
    fn new(wire: Wire, jobs: &[&'static str]) -> Scene {
        let redis = Redis::start();
        let proxy = Proxy::new(&redis);
        let mut link = redis.connect(0);
        let due = snapshot::now() as i64 - 10;
        for job in jobs {
            let payload = wire.payload(&made("Job", *job).tries(3));
            match *job {
                "due" => wire.put_off(&mut link, &[payload], due),
                "expired" => {
                    let mut command = redis::cmd("ZADD");
                    let () =
                        command.arg(wire.key("reserved")).arg(due).arg(payload).query(&mut link).unwrap();
                }
                _ => wire.push(&mut link, &[payload]),
            }
        }
        Scene { wire, redis, proxy, ended: Arc::default() }
    }

    /// The names of the jobs that stand anywhere in Redis; those that have failed apart.
    fn standing(&self) -> (Vec<String>, Vec<String>) {
        let failed = self.wire.failed();
        let (mut standing, mut aside) = (Vec::new(), Vec::new());
        for ((_, key), value) in snapshot::keys(&self.redis) {
            let members = match value.value {
                Stored::List(items) if Some(&key) != self.wire.notify().as_ref() => items,
                Stored::Zset(members) => members.into_iter().map(|(member, _)| member).collect(),
                _ => continue,
            };
            let into = if Some(&key) == failed.as_ref() { &mut aside } else { &mut standing };
            into.extend(members.iter().map(|member| name_in(member).into_owned()));
        }
        (standing, aside)
    }

    /// Of these jobs, those that have neither ended nor stand anywhere.
    fn lost(&self, jobs: &[&'static str]) -> Vec<&'static str> {
        let (standing, failed) = self.standing();
        let ended = self.ended.lock().unwrap();
        let is_known = |job: &str| {
            ended.contains_key(job) || standing.iter().chain(&failed).any(|standing| standing == job)
        };
        jobs.iter().copied().filter(|job| !is_known(job)).collect()
    }

    /// Time passes for what is reserved, and what waits for an operator is brought back.
    fn later(&self) {
        shift(&self.redis, 200);
        if self.wire.timeout().is_some() {
            self.wire.reload_timeout(&mut self.redis.connect(0));
        }
    }

    /// The original works, on a new connection after each that failed, until it finds nothing.
    fn work_as_the_original(&self, settings: Settings) {
        let ended = &self.ended;
        let run = |taken: &Taken| {
            let name = name_in(&taken.popped).into_owned();
            match name.as_str() {
                "again" if taken.attempts == 1 => return Ended::Again(0),
                "fails" => {
                    *ended.lock().unwrap().entry(name).or_default() += 1;
                    return Ended::Failed;
                }
                _ => {}
            }
            *ended.lock().unwrap().entry(name).or_default() += 1;
            Ended::Done
        };
        for _ in 0..3 {
            let connect =
                || original::connect(self.wire, &self.proxy.url(0), settings).expect("a connection");
            let mut link = connect();
            loop {
                match work_one(link.as_mut(), run) {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(_) => link = connect(),
                }
            }
            if self.standing().0.is_empty() {
                return;
            }
            self.later();
        }
    }

    /// A worker of ours works until nothing is left.
    async fn work_as_ours(&self) {
        let link = Link::new(&self.proxy.url(0)).unwrap();
        let queue = RedisQueue::new(link, self.wire.dialect(), RedisQueueOptions::default());
        let (ended, rows) = (self.ended.clone(), Rows::default());
        let handler = move |context: Context| -> BoxFuture<'static, Outcome> {
            let job = context.job();
            let name = name_in(job.payload.raw()).into_owned();
            let outcome = match name.as_str() {
                "again" if job.attempts == 1 => return Box::pin(async { Outcome::Released(Duration::ZERO) }),
                "fails" => Outcome::Failed(Exception::msg("boom")),
                _ => Outcome::Deleted,
            };
            *ended.lock().unwrap().entry(name).or_default() += 1;
            Box::pin(async { outcome })
        };
        let queue_name = if self.wire == Wire::Hyperf { "{queue}" } else { "default" };
        for _ in 0..3 {
            let worker = Worker::on(queue.clone())
                .queues([queue_name])
                .options(WorkerOptions { tries: 3, concurrency: 1, ..WorkerOptions::default() })
                .failed_jobs(rows.clone())
                .route("*", handler.clone());
            let drained = tokio::time::timeout(DEADLINE, worker.drain()).await;
            drained.expect("the worker comes to an end").expect("a good one");
            self.later();
        }
    }
}

/// The consumer loses exactly this job when its line is cut after that command.
fn the_original_loses(
    wire: Wire,
    job: &'static str,
    jobs: &[&'static str],
    after: When,
    block_for: Option<f64>,
) {
    let scene = Scene::new(wire, jobs);
    let what = format!("{wire:?}, {after:?}");
    scene.proxy.arm(after, Fault::CutAfter);
    scene.work_as_the_original(Settings { retry_after: 60, block_for });
    assert_eq!(scene.proxy.fired(), 1, "{what}: {:?}", scene.proxy.counts());
    assert_eq!(scene.lost(jobs), [job], "{what}");
    let (standing, _) = scene.standing();
    assert!(standing.is_empty(), "{what}: all others have ended, {standing:?} have not");
}

#[test]
fn think_queue_loses_the_job_that_it_has_popped() {
    for wire in [Wire::Think, Wire::ThinkBefore3] {
        the_original_loses(wire, "runs", &["runs"], When::command("LPOP"), None);
    }
    the_original_loses(Wire::Think, "runs", &["runs"], When::command("BLPOP"), Some(0.1));
}

#[test]
fn think_queue_loses_the_job_that_it_is_about_to_release() {
    for wire in [Wire::Think, Wire::ThinkBefore3] {
        the_original_loses(wire, "again", &["again", "runs"], When::command("ZREM"), Some(0.1));
    }
}

#[test]
fn think_queue_loses_none_where_it_moves_them_in_a_transaction() {
    for wire in [Wire::Think, Wire::ThinkBefore3] {
        for after in ["MULTI", "RPUSH", "EXEC"] {
            let scene = Scene::new(wire, &["due", "expired"]);
            scene.proxy.arm(When::command(after), Fault::CutAfter);
            scene.work_as_the_original(Settings { retry_after: 60, block_for: Some(0.1) });
            assert_eq!(scene.proxy.fired(), 1, "{wire:?}, {after}");
            assert_eq!(scene.lost(&["due", "expired"]), [""; 0], "{wire:?}, {after}");
        }
    }
}

#[test]
fn hyperf_loses_the_message_that_it_has_popped() {
    the_original_loses(Wire::Hyperf, "runs", &["runs"], When::command("BRPOP"), Some(0.1));
}

#[test]
fn hyperf_loses_the_message_that_it_is_about_to_put_elsewhere() {
    for (job, jobs) in
        [("again", &["again", "runs"][..]), ("due", &["due", "runs"]), ("expired", &["expired", "runs"])]
    {
        the_original_loses(Wire::Hyperf, job, jobs, When::command("ZREM"), Some(0.1));
    }
    // It has run, and no trace of its failure is left.
    let scene = Scene::new(Wire::Hyperf, &["fails"]);
    scene.proxy.arm(When::command("ZREM"), Fault::CutAfter);
    scene.work_as_the_original(Settings { retry_after: 60, block_for: Some(0.1) });
    assert_eq!((scene.proxy.fired(), scene.standing()), (1, (Vec::new(), Vec::new())));
}

on_every_wire! {
    ours_loses_none_whichever_of_its_calls_the_cut_follows,
}

/// How many of its calls are tried at once.
const CALLS: usize = 16;

fn ours_loses_none_whichever_of_its_calls_the_cut_follows(wire: Wire) {
    let met = thread::scope(|scope| {
        let play = |nth: usize| {
            let scene = Scene::new(wire, &JOBS);
            scene.proxy.arm(When::script("").nth(nth), Fault::CutAfter);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(scene.work_as_ours());
            let (standing, failed) = scene.standing();
            assert_eq!(standing, [""; 0], "call {nth}");
            let failed_here: &[&str] = if wire.failed().is_some() { &["fails"] } else { &[] };
            assert_eq!(failed, failed_here, "call {nth}");
            let once: BTreeMap<String, usize> = JOBS.map(|job| (job.to_owned(), 1)).into();
            assert_eq!(*scene.ended.lock().unwrap(), once, "call {nth}");
            scene.proxy.fired()
        };
        let played: Vec<_> = (1..=CALLS).map(|nth| scope.spawn(move || play(nth))).collect();
        played.into_iter().map(|played| played.join().expect("see above")).collect::<Vec<_>>()
    });
    // The last of them is beyond the last call.
    assert!(met.contains(&1) && met.contains(&0), "{met:?}");
    println!("{} calls were cut off", met.iter().sum::<usize>());
}
