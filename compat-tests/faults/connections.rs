//! One worker with several connections, of which one cannot do what the others can.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use handover::dialect::{Dialect, Laravel, Think};
use handover::events::Event;
use handover::queue::{Queue, RedisQueue, RedisQueueOptions};
use handover::{Context, Outcome, Worker, WorkerOptions};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::support::process::{DEADLINE, Running, command, wait_until};
use crate::support::redis::Redis;
use crate::support::worker_binary;

fn queue(url: &str, dialect: impl Into<Dialect>) -> RedisQueue {
    let client = handover::redis::Redis::new(url).unwrap();
    RedisQueue::new(client, dialect, RedisQueueOptions::default())
}

fn job(name: &str) -> Vec<u8> {
    json!({"job": name, "maxTries": null, "timeout": null, "data": "", "id": "x", "attempts": 0})
        .to_string()
        .into_bytes()
}

/// What a worker said of outages: the connection's name, and `down` or `up`.
type Said = Arc<Mutex<Vec<(String, &'static str)>>>;

fn noting(said: &Said) -> impl Fn(&Event) + Send + Sync + 'static {
    let said = said.clone();
    move |event| match event {
        Event::QueueDown { connection, .. } => said.lock().unwrap().push((connection.to_string(), "down")),
        Event::QueueUp { connection } => said.lock().unwrap().push((connection.to_string(), "up")),
        _ => {}
    }
}

fn count(said: &Said, connection: &str, what: &str) -> usize {
    said.lock().unwrap().iter().filter(|(name, said)| name == connection && *said == what).count()
}

/// Counts runs, each of which a permit ends.
fn gated(worker: Worker, class: &str, ran: &Arc<Mutex<usize>>, gate: &Arc<Semaphore>) -> Worker {
    let (ran, gate) = (ran.clone(), gate.clone());
    worker.handle(class, move |_: Value, _: Context| {
        let (ran, gate) = (ran.clone(), gate.clone());
        async move {
            *ran.lock().unwrap() += 1;
            gate.acquire().await.unwrap().forget();
            Outcome::Deleted
        }
    })
}

/// Connections that share a Redis which hangs: each costs a call its deadline, or a dial.
const HANGING: [&str; 4] = ["one", "two", "three", "four"];

/// Waits until it is so; the generous deadline of everything outside this process is its end.
async fn until(condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < DEADLINE, "it never is");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn connections_whose_redis_hangs_cost_no_other_its_leases_and_each_outage_is_told() {
    let (own, hanging) = (Redis::start(), Redis::start());
    let ours = queue(&own.url(0), Laravel::new(""));
    let (ran, gate, said) = (Arc::default(), Arc::new(Semaphore::new(0)), Said::default());
    let options = WorkerOptions {
        lease: Some(10),
        sleep: Duration::from_millis(100),
        timeout: 0,
        ..WorkerOptions::default()
    };
    let mut worker = Worker::on(ours.clone()).connection("own").options(options).on_event(noting(&said));
    worker = gated(worker, "Waits", &ran, &gate);
    for name in HANGING {
        let dialect = Laravel::new(format!("{name}_"));
        worker = worker.also(Worker::on(queue(&hanging.url(0), dialect)).connection(name));
    }
    ours.push("default", &job("Waits")).await.unwrap();
    let working = tokio::spawn(worker.run());
    until(|| *ran.lock().unwrap() == 1).await;
    hanging.signal("STOP");
    let mut connection = own.connect(0);
    while HANGING.iter().any(|name| count(&said, name, "down") == 0) {
        // What another worker would take.
        let (now, _): (f64, f64) = redis::cmd("TIME").query(&mut connection).unwrap();
        let expired: Vec<String> = redis::cmd("ZRANGEBYSCORE")
            .arg("queues:default:reserved")
            .arg("-inf")
            .arg(now)
            .query(&mut connection)
            .unwrap();
        assert!(expired.is_empty(), "after {:?}", said.lock().unwrap());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(count(&said, "own", "down"), 0);
    hanging.signal("CONT");
    until(|| HANGING.iter().all(|name| count(&said, name, "up") == 1)).await;
    gate.add_permits(1);
    until(|| own.query::<usize>(&["EXISTS", "queues:default:reserved"]) == 0).await;
    assert_eq!(*ran.lock().unwrap(), 1);
    working.abort();
}

#[tokio::test]
async fn what_one_connection_cannot_wait_for_is_told_once_though_the_others_can() {
    let redis = Redis::start_tcp(&[]);
    let _: String = redis.query(&["ACL", "SETUSER", "worker", "on", ">p", "~*", "&*", "+@all", "-blmove"]);
    let theirs = format!("redis://worker:p@127.0.0.1:{}/0", redis.port());
    let ours = queue(&redis.url(0), Laravel::new(""));
    let (ran, gate, said) = (Arc::default(), Arc::new(Semaphore::new(20)), Said::default());
    let beside = Worker::on(queue(&theirs, Think::new(""))).connection("think");
    let worker = gated(Worker::on(ours.clone()), "Ends", &ran, &gate).also(beside).on_event(noting(&said));
    let working = tokio::spawn(worker.run());
    until(|| count(&said, "think", "down") == 1).await;
    for n in 1..=10 {
        ours.push("default", &job("Ends")).await.unwrap();
        until(|| *ran.lock().unwrap() == n).await;
        // Time for another wait of its own to fail.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(*said.lock().unwrap(), [("think".to_owned(), "down")]);
    working.abort();
}

#[tokio::test]
async fn a_job_starts_before_a_wait_on_another_list_is_over_where_redis_may_not_be_told_to_end_it() {
    let redis = Redis::start_tcp(&[]);
    let _: String =
        redis.query(&["ACL", "SETUSER", "worker", "on", ">p", "~*", "&*", "+@all", "-client|unblock"]);
    let queue = queue(&format!("redis://worker:p@127.0.0.1:{}/0", redis.port()), Think::new(""));
    let (ran, gate) = (Arc::default(), Arc::new(Semaphore::new(20)));
    let options = WorkerOptions { sleep: Duration::from_secs(60), ..WorkerOptions::default() };
    let worker = Worker::on(queue.clone()).queues(["high", "low"]).options(options);
    let working = tokio::spawn(gated(worker, "app\\job\\Ends", &ran, &gate).run());
    let waits = || {
        let clients: String = redis.query(&["CLIENT", "LIST"]);
        clients.lines().filter(|client| client.contains("cmd=blmove") && client.contains("flags=b")).count()
    };
    // A wait has five seconds: no job of ten waits for the end of one, however slow the machine is now and then.
    let mut quickest = Duration::MAX;
    for n in 1..=3 {
        until(|| waits() == 2).await;
        let pushed = Instant::now();
        queue.push("low", &job("ends")).await.unwrap();
        until(|| *ran.lock().unwrap() == n).await;
        quickest = quickest.min(pushed.elapsed());
    }
    assert!(quickest < Duration::from_secs(2), "{quickest:?}");
    working.abort();
}

#[test]
fn a_worker_that_can_only_poll_stops_without_waiting_for_its_wait() {
    let redis = Redis::start_with(&["--rename-command", "BLMOVE", ""]);
    let directory = tempfile::tempdir().unwrap();
    let stopping = || {
        let mut worker = command(worker_binary());
        worker.current_dir(directory.path()).arg(format!("--redis={}", redis.url(0)));
        worker.args(["--prefix=", "--also=think=default"]).env("RUST_LOG", "debug");
        let worker = Running::start(worker);
        wait_until("it waits", || redis.query::<String>(&["CLIENT", "LIST"]).contains("cmd=blpop"));
        let told = Instant::now();
        worker.signal("TERM");
        assert_eq!(worker.finish().code, 0);
        told.elapsed()
    };
    let quickest = (0..3).map(|_| stopping()).min().unwrap();
    assert!(quickest < Duration::from_secs(1), "{quickest:?}");
}

#[tokio::test]
async fn connections_that_share_one_client_do_not_wait_for_each_others_waits() {
    let redis = Redis::start();
    let client = handover::redis::Redis::new(&redis.url(0)).unwrap();
    let [crm, shop] = ["crm_", "shop_"]
        .map(|prefix| RedisQueue::new(client.clone(), Laravel::new(prefix), RedisQueueOptions::default()));
    let (ran, gate) = (Arc::default(), Arc::new(Semaphore::new(20)));
    let options = WorkerOptions { sleep: Duration::from_secs(60), ..WorkerOptions::default() };
    let worker = Worker::on(crm).options(options).also(Worker::on(shop.clone()).connection("shop"));
    let working = tokio::spawn(gated(worker, "Ends", &ran, &gate).run());
    // A wait has five seconds: the one must not begin as the other ends.
    let waits = || {
        let clients: String = redis.query(&["CLIENT", "LIST"]);
        clients.lines().filter(|client| client.contains("cmd=blpop") && client.contains("flags=b")).count()
    };
    until(|| waits() == 2).await;
    shop.push("default", &job("Ends")).await.unwrap();
    until(|| *ran.lock().unwrap() == 1).await;
    working.abort();
}
