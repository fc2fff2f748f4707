//! Rows of think-queue's table of observable behaviours that a queue on Redis shows, or a worker on it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use handover::dialect::Think;
use handover::job::Settlement;
use handover::queue::{Queue, RedisQueue, RedisQueueOptions, Reservation, State};
use handover::{Context, Dispatch, Exception, Outcome, Producer, Worker, WorkerOptions, php};
use serde_json::{Value, json};

use super::of;
use crate::conformance::{Driven, LEASE, NOW, speaking};
use crate::faults::rows::Rows;
use crate::support::redis::Redis;

fn job(method: &str, attempts: i64) -> String {
    format!(
        r#"{{"job":"app\\job\\Hello@{method}","maxTries":null,"timeout":null,"data":{{"e":{{}}}},"id":"{method}","attempts":{attempts}}}"#
    )
}

async fn standing(queue: &RedisQueue, state: State) -> Vec<(String, Option<f64>)> {
    let peeked = queue.peek("q", state, 0, 999).await.unwrap();
    peeked
        .into_iter()
        .map(|p| (String::from_utf8(p.payload.to_vec()).unwrap(), p.at.map(f64::floor)))
        .collect()
}

#[tokio::test]
async fn rows_1_to_3_what_a_producer_leaves_where() {
    for (version, ready, attempts, limits) in [
        ("3.0.9", "{queues:default}", 0, true),
        ("3.0.4", "queues:default", 0, true),
        ("1.1.6", "queues:default", 1, false),
    ] {
        let redis = Redis::start();
        let producer = Producer::on(speaking(&redis, of(version)));
        producer.dispatch(Dispatch::named("app\\job\\Hello@task", json!({"path": "a/b"}))).await.unwrap();
        let object = php::object("app\\job\\Mail").of(&json!({"to": "x"})).unwrap();
        producer.dispatch(Dispatch::object(object)).await.unwrap();
        let pushed: Vec<String> = redis.query(&["LRANGE", ready, "0", "-1"]);
        let fields = |payload: &str| -> Vec<String> {
            let value: Value = serde_json::from_str(payload).unwrap();
            assert_eq!(value["attempts"], attempts, "{payload}");
            value.as_object().unwrap().keys().cloned().collect()
        };
        let (string, object) = match limits {
            true => (
                vec!["job", "maxTries", "timeout", "data", "id", "attempts"],
                vec!["job", "maxTries", "timeout", "timeoutAt", "data", "id", "attempts"],
            ),
            false => (vec!["job", "data", "id", "attempts"], vec!["job", "data", "id", "attempts"]),
        };
        assert_eq!(fields(&pushed[0]), string, "{version}");
        assert!(pushed[0].contains(r#"{"path":"a\/b"}"#), "{}", pushed[0]);
        assert_eq!(fields(&pushed[1]), object, "{version}");
        assert!(pushed[1].contains(r#""job":"think\\queue\\CallQueuedHandler@call""#), "{}", pushed[1]);

        let before = handover::clock::Clock::system().now();
        let later = Dispatch::named("Hello", json!("")).delay(Duration::from_secs(10));
        producer.dispatch(later).await.unwrap();
        let delayed: Vec<(String, i64)> =
            redis.query(&["ZRANGE", &format!("{ready}:delayed"), "0", "-1", "WITHSCORES"]);
        assert!((before + 10..=before + 11).contains(&delayed[0].1), "{delayed:?}");

        let chain = Dispatch::object(php::object("A").of(&json!({})).unwrap())
            .chain([Dispatch::object(php::object("B").of(&json!({})).unwrap())]);
        let error = producer.dispatch(chain).await.unwrap_err().to_string();
        assert!(error.contains("means nothing to think-queue"), "{error}");
    }
}

#[tokio::test]
async fn rows_4_and_5_due_now_is_due_and_joins_the_tail_in_the_order_of_its_times() {
    let redis = Redis::start();
    let queue = speaking(&redis, of("3.0.9"));
    let mut q = Driven::new(&queue);
    q.push(&job("waits", 0)).await;
    for (id, at) in [("now", NOW), ("five", 5), ("one", 1), ("later", NOW + 1)] {
        queue.later("q", job(id, 0).as_bytes(), at).await.unwrap();
    }
    let reserved = q.reserve(9).await;
    let ids = ["waits", "one", "five", "now"].map(|id| job(id, 0));
    assert_eq!(
        reserved.iter().map(|r| r.popped().as_ref()).collect::<Vec<_>>(),
        ids.each_ref().map(|id| id.as_bytes())
    );
    reserved.into_iter().for_each(Reservation::close);
}

#[tokio::test]
async fn rows_6_to_11_and_13_and_14_where_attempts_begin_and_move() {
    for (version, pushed, released) in [("3.0.9", 0, 1), ("1.1.6", 1, 2), ("2.0.4", 1, 2)] {
        let redis = Redis::start();
        let queue = speaking(&redis, of(version));
        let mut q = Driven::new(&queue);
        q.push(&job("x", pushed)).await;
        let first = q.reserve(1).await.remove(0);
        assert_eq!(first.attempts(), 1, "row 9");
        // Row 8: ours leaves `{}` as it is; PHP reads both alike.
        assert_eq!(
            standing(&queue, State::Reserved).await,
            [(job("x", 1), Some((NOW + LEASE) as f64))],
            "{version}"
        );
        assert!(q.settle(first, Settlement::Release { at: NOW + 5 }).await);
        assert_eq!(standing(&queue, State::Delayed).await, [(job("x", released), Some((NOW + 5) as f64))]);
        assert_eq!(q.sizes().await, [0, 1, 0, 0]);
        q.now = NOW + 5;
        let second = q.reserve(1).await.remove(0);
        assert_eq!(second.attempts(), 2);
        let member = standing(&queue, State::Reserved).await.remove(0).0;
        second.close();
        // The worker is gone; the next one's pop moves what has expired.
        q.now += LEASE + 1;
        let third = q.reserve(1).await.remove(0);
        assert_eq!(third.attempts(), 3, "{version}");
        let moved = if pushed == 0 { member } else { job("x", 3) };
        assert_eq!(third.popped(), moved.as_bytes(), "{version}");
        third.close();
    }
}

#[tokio::test]
async fn row_15_without_expiry_reservations_stay_and_delayed_jobs_still_move() {
    let redis = Redis::start();
    let link = handover::redis::Redis::new(&redis.url(0)).unwrap();
    let options = RedisQueueOptions { expire_reservations: false, ..RedisQueueOptions::default() };
    let queue = RedisQueue::new(link, Think::new("").version((1, 1, 6)), options);
    let mut q = Driven::new(&queue);
    q.push(&job("x", 1)).await;
    q.reserve(1).await.into_iter().for_each(Reservation::close);
    queue.later("q", job("y", 1).as_bytes(), NOW + 1).await.unwrap();
    q.now = NOW + 9 * LEASE;
    let reserved = q.reserve(9).await;
    assert_eq!(reserved.len(), 1);
    assert_eq!(reserved[0].popped(), job("y", 1).as_bytes());
    reserved.into_iter().for_each(Reservation::close);
}

#[tokio::test]
async fn a_reserved_payload_that_stopped_every_expiry_is_set_aside_and_the_others_come_back() {
    let redis = Redis::start();
    let queue = speaking(&redis, of("1.1.6"));
    let mut q = Driven::new(&queue);
    for member in ["junk", &job("x", 1)] {
        let _: i64 = redis.query(&["ZADD", "queues:q:reserved", "1", member]);
    }
    let done = q.exchange(&[], 9, 0).await;
    assert_eq!(done.quarantined.len(), 1);
    assert_eq!(done.reserved[0].popped(), job("x", 2).as_bytes());
    assert_eq!(standing(&queue, State::Quarantined).await, [("junk".to_owned(), None)]);
    done.reserved.into_iter().for_each(Reservation::close);
}

#[tokio::test]
async fn what_stock_loses_is_set_aside() {
    for version in ["3.0.9", "1.1.6"] {
        let redis = Redis::start();
        let queue = speaking(&redis, of(version));
        let mut q = Driven::new(&queue);
        let lost = ["not json", r#"{"job":"app\\job\\Hello","data":[]}"#, "", "0", "[]"];
        for payload in lost {
            q.push(payload).await;
        }
        assert!(q.reserve(9).await.is_empty());
        let aside = standing(&queue, State::Quarantined).await;
        assert_eq!(aside, lost.map(|payload| (payload.to_owned(), None)));
    }
}

#[tokio::test]
async fn row_35_more_than_a_hundred_due_jobs_all_run() {
    let redis = Redis::start();
    let queue = speaking(&redis, of("3.0.9"));
    let later: Vec<_> = (0..250).map(|n| (1, job(&format!("m{n}"), 0).into_bytes())).collect();
    for batch in later.chunks(100) {
        queue.later_all("q", batch).await.unwrap();
    }
    let ran = Arc::new(Mutex::new(0));
    worker(queue.clone(), WorkerOptions::default(), &ran, Outcome::Deleted).drain().await.unwrap();
    assert_eq!(*ran.lock().unwrap(), 250);
    assert_eq!(queue.size("q").await.unwrap(), Default::default());
}

fn worker(queue: RedisQueue, options: WorkerOptions, ran: &Arc<Mutex<i32>>, outcome: Outcome) -> Worker {
    let ran = ran.clone();
    let handler = move |_: Value, _: Context| {
        *ran.lock().unwrap() += 1;
        let outcome = outcome.clone();
        async move { outcome }
    };
    Worker::on(queue).queues(["q"]).options(options).handle("app\\job\\Hello", handler)
}

#[tokio::test]
async fn rows_12_and_32_what_is_left_keeps_the_end_of_its_reservation() {
    let slow = Outcome::Threw(Exception::new("TypeError", "no int"));
    for (version, outcome, attempts) in
        [("3.0.9", Outcome::Completed, 0), ("1.1.6", Outcome::Completed, 1), ("1.1.6", slow, 1)]
    {
        let redis = Redis::start();
        let queue = speaking(&redis, of(version));
        queue.push("q", job("x", attempts).as_bytes()).await.unwrap();
        let (ran, options) =
            (Arc::default(), WorkerOptions { tries: 1, retry_after: 60, ..WorkerOptions::default() });
        let now = handover::clock::Clock::system().now() as f64;
        worker(queue.clone(), options, &ran, outcome).drain().await.unwrap();
        assert_eq!(*ran.lock().unwrap(), 1);
        let left = standing(&queue, State::Reserved).await;
        assert_eq!(left.len(), 1, "{version}");
        assert_eq!(left[0].0, job("x", 1));
        assert!((now + 60.0..=now + 62.0).contains(&left[0].1.unwrap()), "{left:?} at {now}");
    }
}

#[tokio::test]
async fn rows_17_and_18_failing_after_two_tries() {
    for (version, first, attempts_in_row) in [("3.0.9", 0, 1), ("1.1.6", 1, 3)] {
        let redis = Redis::start();
        let queue = speaking(&redis, of(version));
        queue.push("q", job("x", first).as_bytes()).await.unwrap();
        let (ran, rows) = (Arc::default(), Rows::default());
        let options = WorkerOptions { tries: 2, ..WorkerOptions::default() };
        let worker = worker(queue.clone(), options, &ran, Outcome::Threw(Exception::msg("boom")));
        worker.failed_jobs(rows.clone()).drain().await.unwrap();
        assert_eq!(*ran.lock().unwrap(), 2, "{version}");
        assert_eq!(queue.size("q").await.unwrap(), Default::default());
        let payloads: Vec<_> = rows.all().iter().map(|row| row.payload.clone()).collect();
        assert_eq!(payloads, [job("x", attempts_in_row)], "{version}");
    }
}

#[tokio::test]
async fn row_24_a_handler_is_found_by_class_by_method_and_by_the_name_of_the_job() {
    let redis = Redis::start();
    let queue = speaking(&redis, of("3.0.9"));
    let names = ["send_mail", "send_mail@run", "app\\job\\SendMail@run", "other", "Any@x"];
    for name in names {
        let payload =
            json!({"job": name, "maxTries": null, "timeout": null, "data": [], "id": "i", "attempts": 0});
        queue.push("q", payload.to_string().as_bytes()).await.unwrap();
    }
    let heard = Arc::new(Mutex::new(Vec::new()));
    let handler = |which: &'static str| {
        let heard = heard.clone();
        move |_: Value, ctx: Context| {
            heard.lock().unwrap().push((which, ctx.job().name().to_owned()));
            async { Outcome::Deleted }
        }
    };
    let options = WorkerOptions { concurrency: 1, ..WorkerOptions::default() };
    let worker = Worker::on(queue).queues(["q"]).options(options);
    let worker = worker
        .handle("app\\job\\SendMail", handler("class"))
        .handle("app\\job\\SendMail@run", handler("method"));
    worker.handle("other", handler("name")).handle("app\\*", handler("pattern")).drain().await.unwrap();
    let heard = heard.lock().unwrap();
    let expected = ["class", "method", "method", "name", "pattern"];
    assert_eq!(*heard, expected.into_iter().zip(names.map(str::to_owned)).collect::<Vec<_>>());
}

#[tokio::test]
async fn row_29_a_later_queue_is_polled_once_the_first_is_empty() {
    let redis = Redis::start();
    let queue = speaking(&redis, of("3.0.9"));
    for (name, id) in [("low", "l"), ("high", "h1"), ("high", "h2")] {
        queue.push(name, job(id, 0).as_bytes()).await.unwrap();
    }
    let order = Arc::new(Mutex::new(Vec::new()));
    let heard = order.clone();
    let options = WorkerOptions { concurrency: 1, ..WorkerOptions::default() };
    let worker = Worker::on(queue).queues(["high", "low"]).options(options);
    let handler = move |_: Value, ctx: Context| {
        heard.lock().unwrap().push(ctx.job().payload.id().unwrap());
        async { Outcome::Deleted }
    };
    worker.handle("app\\job\\Hello", handler).drain().await.unwrap();
    assert_eq!(*order.lock().unwrap(), ["h1", "h2", "l"]);
}

#[tokio::test]
async fn a_due_time_wakes_a_worker_that_polls_far_between() {
    let redis = Redis::start();
    let queue = speaking(&redis, of("3.0.9"));
    let now = handover::clock::Clock::system().now();
    queue.later("q", job("x", 0).as_bytes(), now + 2).await.unwrap();
    let ran = Arc::default();
    let sleep = Duration::from_secs(30);
    let options = WorkerOptions { sleep, max_jobs: 1, ..WorkerOptions::default() };
    let began = Instant::now();
    let worker = worker(queue, options, &ran, Outcome::Deleted).run();
    tokio::time::timeout(Duration::from_secs(25), worker).await.expect("it does not sleep on").unwrap();
    assert_eq!(*ran.lock().unwrap(), 1);
    assert!(began.elapsed() < sleep);
}
