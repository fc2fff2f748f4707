//! One worker process that serves queues of several frameworks of one Redis, and how it waits where a framework has no
//! wake-up list.

use std::sync::{Arc, Mutex};

use handover::dialect::{Dialect, Laravel, Think};
use handover::events::Event;
use handover::queue::{Queue, RedisQueue, RedisQueueOptions};
use handover::{Context, Exception, Worker, WorkerOptions, php};
use serde_json::{Value, json};

use crate::support::process::{Running, command, wait_until};
use crate::support::redis::Redis;
use crate::support::tally::Tally;
use crate::support::worker_binary;

fn speaking(redis: &Redis, dialect: impl Into<Dialect>) -> RedisQueue {
    let client = handover::redis::Redis::new(&redis.url(0)).unwrap();
    RedisQueue::new(client, dialect, RedisQueueOptions::default())
}

fn laravel() -> Laravel {
    Laravel::new("shop_")
}

fn think() -> Think {
    Think::new("")
}

/// A string job in either framework's payload.
fn string_job(job: &str, data: &Value) -> String {
    json!({"job": job, "maxTries": null, "timeout": null, "data": data, "id": "x", "attempts": 0}).to_string()
}

/// The same in Hyperf's message.
fn message(class: &str, properties: &Value) -> String {
    let job = php::object(class).of(properties).unwrap();
    let job = String::from_utf8(job.write()).unwrap();
    format!("O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{{s:3:\"job\";{job}s:8:\"attempts\";i:0;}}")
}

type Seen = Arc<Mutex<Vec<String>>>;

fn noted(seen: &Seen, ctx: &Context, data: &Value) {
    let job = ctx.job();
    seen.lock().unwrap().push(format!("{} {} {data}", job.connection, job.queue));
}

#[tokio::test]
async fn each_connection_keeps_its_own_rules_though_their_queues_have_one_name() {
    let redis = Redis::start();
    let (ours, theirs) = (speaking(&redis, laravel()), speaking(&redis, think()));
    let seen = Seen::default();
    for (queue, n) in [(&theirs, 1), (&ours, 2)] {
        queue.push("default", string_job("app\\job\\Throws", &json!(n)).as_bytes()).await.unwrap();
    }
    let note = seen.clone();
    let beside = Worker::on(theirs.clone())
        .connection("think")
        .options(WorkerOptions { tries: 0, backoff: "7".into(), ..WorkerOptions::default() })
        .handle("app\\job\\Throws", move |data: Value, ctx: Context| {
            noted(&note, &ctx, &data);
            async { Err::<(), _>(Exception::msg("boom")) }
        });
    let failed = Seen::default();
    let note = failed.clone();
    let worker = Worker::on(ours.clone()).tries(1).also(beside).on_event(move |event| {
        if let Event::Failed { job, .. } = event {
            note.lock().unwrap().push(job.connection.to_string());
        }
    });
    worker.drain().await.unwrap();
    // Its own queues come first; the other's job is retried without end, seven seconds later.
    assert_eq!(*seen.lock().unwrap(), ["redis default 2", "think default 1"]);
    assert_eq!(*failed.lock().unwrap(), ["redis"]);
    assert_eq!(ours.size("default").await.unwrap(), Default::default());
    assert_eq!(theirs.size("default").await.unwrap().delayed, 1);
}

#[tokio::test]
async fn jobs_of_another_app_that_nobody_could_run_are_refused_before_anything_starts() {
    let redis = Redis::start();
    let beside = Worker::on(speaking(&redis, think())).queues(["orders", "mails"]);
    let refused = Worker::on(speaking(&redis, laravel())).php(1).also(beside).run().await.unwrap_err();
    assert!(refused.to_string().contains("runs the jobs of [orders,mails]"), "{refused}");
}

#[test]
fn one_process_serves_laravel_think_queue_and_hyperf_at_once() {
    let (redis, tally) = (Redis::start(), Tally::start());
    let names: Vec<String> = (0..60).map(|n| format!("job-{n}")).collect();
    let mut connection = redis.connect(0);
    for (n, name) in names.iter().enumerate() {
        let data = json!({"name": name, "tally": tally.socket(), "seconds": 0.0});
        let (push, key, job) = match n % 3 {
            0 => ("RPUSH", "shop_queues:default", string_job("Counted@fire", &data)),
            1 => ("RPUSH", "{queues:default}", string_job("Counted", &data)),
            _ => ("LPUSH", "{queue}:waiting", message("App\\Job\\Counted", &data)),
        };
        let () = redis::cmd(push).arg(key).arg(job).query(&mut connection).unwrap();
    }
    let mut worker = command(worker_binary());
    let directory = tempfile::tempdir().unwrap();
    worker.current_dir(directory.path());
    worker.arg(format!("--redis={}", redis.url(0))).args([
        "--prefix=shop_",
        "--also=think=default",
        "--also=hyperf={queue}",
    ]);
    let worker = Running::start(worker);
    wait_until("every job has ended", || tally.account(names.clone()).done == names.len());
    worker.signal("TERM");
    let end = worker.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let account = tally.account(names.clone());
    assert!(account.lost.is_empty() && account.repeated.is_empty(), "{account:?}");
    assert_eq!(account.starts.len(), 1, "one process: {account:?}");
}

/// Counts polls, and reserves that found nothing to take.
fn counting(polls: &Arc<Mutex<(usize, usize)>>) -> impl Fn(&Event) + Send + Sync + 'static {
    let polls = polls.clone();
    move |event| match event {
        Event::PollFired => polls.lock().unwrap().0 += 1,
        Event::Reserved { jobs: 0, .. } => polls.lock().unwrap().1 += 1,
        _ => {}
    }
}

fn patient() -> WorkerOptions {
    WorkerOptions { sleep: std::time::Duration::from_secs(60), ..WorkerOptions::default() }
}

#[tokio::test]
async fn a_push_starts_without_a_poll_where_there_is_no_wake_up_list() {
    let redis = Redis::start();
    let queue = speaking(&redis, think());
    let (polls, seen) = (Arc::default(), Seen::default());
    let note = seen.clone();
    let worker = Worker::on(queue.clone())
        .queues(["high", "low"])
        .options(patient())
        .on_event(counting(&polls))
        .handle("app\\job\\Hello", move |data: Value, ctx: Context| {
            noted(&note, &ctx, &data);
            async { handover::Outcome::Deleted }
        });
    let working = tokio::spawn(worker.run());
    for n in 0..20 {
        let name = if n % 3 == 0 { "high" } else { "low" };
        queue.push(name, string_job("hello", &json!(n)).as_bytes()).await.unwrap();
        while seen.lock().unwrap().len() <= n {
            tokio::task::yield_now().await;
        }
    }
    while queue.size("low").await.unwrap() != Default::default() {
        tokio::task::yield_now().await;
    }
    assert_eq!(polls.lock().unwrap().0, 0, "no poll fired");
    working.abort();
}

#[tokio::test]
async fn an_equal_payload_that_has_to_wait_does_not_keep_the_worker_asking() {
    let redis = Redis::start();
    let queue = speaking(&redis, think());
    let polls = Arc::default();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let opened = gate.clone();
    let ran = Arc::new(Mutex::new(0));
    let counts = ran.clone();
    let worker = Worker::on(queue.clone()).options(patient()).on_event(counting(&polls)).handle(
        "app\\job\\Hello",
        move |_: Value, _: Context| {
            let (opened, counts) = (opened.clone(), counts.clone());
            async move {
                opened.acquire().await.unwrap().forget();
                *counts.lock().unwrap() += 1;
                handover::Outcome::Deleted
            }
        },
    );
    for _ in 0..2 {
        queue.push("default", string_job("hello", &json!(0)).as_bytes()).await.unwrap();
    }
    let working = tokio::spawn(worker.run());
    let began = std::time::Instant::now();
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let asked = polls.lock().unwrap().1;
    // Every tenth of a second at most; the clock is read later than the count.
    assert!(asked as u128 <= began.elapsed().as_millis() / 100 + 2, "asked {asked} times");
    gate.add_permits(2);
    while *ran.lock().unwrap() < 2 {
        tokio::task::yield_now().await;
    }
    working.abort();
}

#[tokio::test]
async fn a_redis_without_the_command_is_polled() {
    let redis = Redis::start_with(&["--rename-command", "BLMOVE", ""]);
    let queue = speaking(&redis, think());
    let options = WorkerOptions { sleep: std::time::Duration::from_millis(50), ..WorkerOptions::default() };
    let (polls, seen) = (Arc::default(), Seen::default());
    let (note, troubles) = (seen.clone(), Seen::default());
    let told = troubles.clone();
    let worker = Worker::on(queue.clone())
        .options(options)
        .on_event(counting(&polls))
        .on_event(move |event| {
            if let Event::QueueDown { error, .. } = event {
                told.lock().unwrap().push(error.clone());
            }
        })
        .handle("app\\job\\Hello", move |data: Value, ctx: Context| {
            noted(&note, &ctx, &data);
            async { handover::Outcome::Deleted }
        });
    let working = tokio::spawn(worker.run());
    while polls.lock().unwrap().0 == 0 {
        tokio::task::yield_now().await;
    }
    queue.push("default", string_job("hello", &json!(0)).as_bytes()).await.unwrap();
    while seen.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    working.abort();
    assert_eq!(*troubles.lock().unwrap(), [""; 0]);
}
