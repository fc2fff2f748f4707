//! Rows of Hyperf's table that a worker shows.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use handover::events::Event;
use handover::handler::Handler;
use handover::queue::{BoxFuture, Exchange, Queue, RedisQueue, Reservation, Sizes, State, Token};
use handover::{Context, Exception, Job, Outcome, Worker, WorkerOptions};

use super::of;
use crate::conformance::{message, speaking};
use crate::faults::rows::Rows;
use crate::support::process::wait_until;
use crate::support::redis::Redis;

const CLASS: &str = "App\\Job\\A";

/// A message of a job that may be retried so often.
fn limited(max_attempts: i64, attempts: i64) -> String {
    let job = format!("O:9:\"App\\Job\\A\":1:{{s:14:\"\0*\0maxAttempts\";i:{max_attempts};}}");
    format!("O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{{s:3:\"job\";{job}s:8:\"attempts\";i:{attempts};}}")
}

/// Ends in one way, and counts its runs and what it is told.
#[derive(Clone)]
struct Ending {
    outcome: Outcome,
    ran: Arc<AtomicUsize>,
    told: Arc<Mutex<Vec<String>>>,
}

impl Ending {
    fn of(outcome: Outcome) -> Ending {
        Ending { outcome, ran: Arc::default(), told: Arc::default() }
    }

    fn ran(&self) -> usize {
        self.ran.load(Ordering::SeqCst)
    }
}

impl Handler for Ending {
    fn run(&self, _: Context) -> BoxFuture<'static, Outcome> {
        self.ran.fetch_add(1, Ordering::SeqCst);
        let outcome = self.outcome.clone();
        Box::pin(async { outcome })
    }

    fn failed(&self, _: Job, exception: Exception) -> BoxFuture<'static, ()> {
        self.told.lock().unwrap().push(exception.message);
        Box::pin(async {})
    }
}

fn options() -> WorkerOptions {
    WorkerOptions { backoff: "5".into(), timeout: 0, retry_after: 10, ..WorkerOptions::default() }
}

fn worker(queue: &RedisQueue) -> Worker {
    Worker::on(queue.clone()).queues(["{queue}"]).options(options())
}

async fn standing(queue: &RedisQueue, state: State) -> Vec<(String, Option<f64>)> {
    let peeked = queue.peek("{queue}", state, 0, 999).await.unwrap();
    peeked.into_iter().map(|p| (String::from_utf8(p.payload.to_vec()).unwrap(), p.at)).collect()
}

fn now() -> f64 {
    handover::clock::Clock::system().now() as f64
}

#[tokio::test]
async fn rows_10_to_12_a_job_that_always_throws_is_retried_and_fails_with_its_last_bytes() {
    let redis = Redis::start();
    let queue = speaking(&redis, of("3.2.4"));
    queue.push("{queue}", limited(2, 0).as_bytes()).await.unwrap();
    let (ending, rows) = (Ending::of(Outcome::Threw(Exception::msg("boom"))), Rows::default());
    for (spent, next) in [(0, Some(1)), (1, Some(2)), (2, None)] {
        let before = now();
        worker(&queue).route(CLASS, ending.clone()).drain().await.unwrap();
        assert_eq!(ending.ran(), spent as usize + 1);
        let delayed = standing(&queue, State::Delayed).await;
        let Some(next) = next else { break };
        assert_eq!(delayed[0].0, limited(2, next));
        let at = delayed[0].1.unwrap();
        assert!(at >= before + 5.0 && at <= now() + 5.0, "{at}");
        let _: i64 = redis.query(&["ZADD", "{queue}:delayed", "1", &limited(2, next)]);
    }
    assert_eq!(standing(&queue, State::Failed).await, [(limited(2, 2), None)]);
    assert_eq!(*ending.told.lock().unwrap(), ["boom"]);
    assert!(rows.all().is_empty());
    let sizes = Sizes { timeout: Some(0), failed: Some(1), ..Sizes::default() };
    assert_eq!(queue.size("{queue}").await.unwrap(), sizes);
}

#[tokio::test]
async fn a_job_is_told_that_it_failed_from_3_1_on() {
    for (version, told) in [("3.0.50", 0), ("3.1.0", 1)] {
        let redis = Redis::start();
        let queue = speaking(&redis, of(version));
        queue.push("{queue}", limited(0, 0).as_bytes()).await.unwrap();
        let ending = Ending::of(Outcome::Threw(Exception::msg("boom")));
        worker(&queue).route(CLASS, ending.clone()).drain().await.unwrap();
        assert_eq!(ending.told.lock().unwrap().len(), told, "{version}");
        assert_eq!(standing(&queue, State::Failed).await, [(limited(0, 0), None)]);
    }
}

/// The intended difference to row 15: the reservation of a job that takes its time is renewed, so that no sweep finds it.
#[tokio::test]
async fn row_15_a_job_that_outlives_handle_timeout_is_not_swept_away() {
    let redis = Redis::start();
    let queue = speaking(&redis, of("3.2.4"));
    queue.push("{queue}", limited(0, 0).as_bytes()).await.unwrap();
    let link = queue.clone();
    let slow = move |_: serde_json::Value, _: Context| {
        let queue = link.clone();
        async move {
            let ends = async || standing(&queue, State::Reserved).await[0].1.unwrap();
            let first = ends().await;
            while ends().await <= first {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            // Another consumer's pop, a second after the reservation would have been over.
            let at = first as i64 + 1;
            let ask = Exchange { want: 1, token: Token::new(9), now: at, lease: 10, ..Exchange::default() };
            let taken = queue.exchange("{queue}", ask).await.unwrap().reserved;
            assert!(taken.is_empty());
        }
    };
    worker(&queue).handle(CLASS, slow).drain().await.unwrap();
    let nothing = Sizes { timeout: Some(0), failed: Some(0), ..Sizes::default() };
    assert_eq!(queue.size("{queue}").await.unwrap(), nothing);
}

#[tokio::test]
async fn row_16_a_job_whose_reservation_is_lost_leaves_one_entry_under_timeout() {
    for outcome in [Outcome::Threw(Exception::msg("boom")), Outcome::Completed] {
        let redis = Redis::start();
        let queue = speaking(&redis, of("3.2.4"));
        queue.push("{queue}", limited(0, 0).as_bytes()).await.unwrap();
        let (link, lost) = (queue.clone(), Arc::new(AtomicUsize::new(0)));
        let heard = lost.clone();
        let swept = move |_: serde_json::Value, _: Context| {
            let (queue, outcome) = (link.clone(), outcome.clone());
            async move {
                let at = now() as i64 + 1_000;
                let ask =
                    Exchange { want: 1, token: Token::new(9), now: at, lease: 10, ..Exchange::default() };
                queue
                    .exchange("{queue}", ask)
                    .await
                    .unwrap()
                    .reserved
                    .into_iter()
                    .for_each(Reservation::close);
                outcome
            }
        };
        let count = move |event: &Event| {
            heard.fetch_add(usize::from(matches!(event, Event::LeaseLost { .. })), Ordering::SeqCst);
        };
        worker(&queue).handle(CLASS, swept).on_event(count).drain().await.unwrap();
        let left = Sizes { timeout: Some(1), failed: Some(0), ..Sizes::default() };
        assert_eq!(queue.size("{queue}").await.unwrap(), left);
        assert_eq!(lost.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn rows_24_and_25_what_cannot_be_read_stays_reserved_or_is_set_aside() {
    let other = "O:11:\"App\\Message\":2:{s:3:\"job\";N;s:8:\"attempts\";i:0;}";
    for (version, reserved, quarantined) in
        [("3.2.4", vec!["garbage"], vec![other]), ("3.0.50", vec![], vec!["garbage", other])]
    {
        let redis = Redis::start();
        let queue = speaking(&redis, of(version));
        for element in ["garbage", other, &message("a", 0)] {
            queue.push("{queue}", element.as_bytes()).await.unwrap();
        }
        let ending = Ending::of(Outcome::Completed);
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = told.clone();
        let listen = move |event: &Event| match event {
            Event::LeftUnread { reason, .. } => heard.lock().unwrap().push(format!("left: {reason}")),
            Event::Quarantined { reason, .. } => heard.lock().unwrap().push(format!("aside: {reason}")),
            _ => {}
        };
        worker(&queue).route(CLASS, ending.clone()).on_event(listen).drain().await.unwrap();
        assert_eq!(ending.ran(), 1);
        let texts = async |state| -> Vec<String> {
            standing(&queue, state).await.into_iter().map(|(text, _)| text).collect()
        };
        assert_eq!(texts(State::Reserved).await, reserved, "{version}");
        assert_eq!(texts(State::Quarantined).await, quarantined, "{version}");
        let told = told.lock().unwrap().clone();
        let left = told.iter().filter(|line| line.starts_with("left: ")).count();
        assert_eq!((told.len(), left), (2, reserved.len()), "{told:?}");
        assert!(told.iter().any(|line| line.contains("an object of App\\Message")), "{told:?}");
        // What stays reserved goes to the timeout list by anybody's next pop after handle_timeout.
        let at = now() as i64 + 20;
        let ask = Exchange { want: 1, token: Token::new(9), now: at, lease: 10, ..Exchange::default() };
        queue.exchange("{queue}", ask).await.unwrap();
        assert_eq!(texts(State::Timeout).await, reserved);
    }
}

#[tokio::test]
async fn row_26_a_method_of_a_service_is_given_its_arguments() {
    let redis = Redis::start();
    let queue = speaking(&redis, of("3.2.4"));
    let two = "a:2:{i:0;s:2:\"\u{e9}\";i:1;a:1:{i:0;d:1.5;}}";
    let push = async |method: &str, params: &str| {
        let job = format!(
            "O:31:\"Hyperf\\AsyncQueue\\AnnotationJob\":4:{{s:11:\"maxAttempts\";i:0;s:6:\"params\";{params}s:5:\"class\";s:7:\"App\\Svc\";s:6:\"method\";s:{}:\"{method}\";}}",
            method.len()
        );
        let message =
            format!("O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{{s:3:\"job\";{job}s:8:\"attempts\";i:0;}}");
        queue.push("{queue}", message.as_bytes()).await.unwrap();
    };
    push("send", two).await;
    push("other", two).await;
    push("refresh", "a:0:{}").await;
    push("send", "a:1:{i:0;s:2:\"\u{e9}\";}").await;
    #[derive(serde::Deserialize)]
    struct Arguments(String, Vec<f64>);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (by_method, by_class, without, events) = (heard.clone(), heard.clone(), heard.clone(), heard.clone());
    worker(&queue)
        .handle("App\\Svc@send", move |(to, numbers): (String, Vec<f64>), _: Context| {
            by_method.lock().unwrap().push(format!("send {to} {numbers:?}"));
            async {}
        })
        .handle("App\\Svc", move |Arguments(to, numbers): Arguments, ctx: Context| {
            by_class.lock().unwrap().push(format!("{} {to} {numbers:?}", ctx.job().name()));
            async {}
        })
        .handle("App\\Svc@refresh", move |(): (), _: Context| {
            without.lock().unwrap().push("refresh".to_owned());
            async {}
        })
        .on_event(move |event| {
            let Event::Failed { exception, .. } = event else { return };
            events.lock().unwrap().push(exception.message.clone());
        })
        .concurrency(1)
        .drain()
        .await
        .unwrap();
    let unfit = "App\\Svc@send does not fit its handler: expected a tuple of size 2, found array of 1";
    let runs = ["send \u{e9} [1.5]", "App\\Svc@other \u{e9} [1.5]", "refresh", unfit];
    assert_eq!(*heard.lock().unwrap(), runs);
    assert_eq!(standing(&queue, State::Failed).await.len(), 1);
}

#[tokio::test]
async fn row_28_what_a_job_answers_is_done_and_without_attempts_left_it_fails() {
    let retry = Outcome::Released(Duration::from_secs(5));
    for (outcome, attempts, left) in [
        (Outcome::Completed, 0, None),
        (Outcome::Deleted, 0, None),
        (retry.clone(), 0, Some((State::Delayed, limited(1, 1)))),
        // Stock drops it.
        (retry, 1, Some((State::Failed, limited(1, 1)))),
    ] {
        let redis = Redis::start();
        let queue = speaking(&redis, of("3.2.4"));
        queue.push("{queue}", limited(1, attempts).as_bytes()).await.unwrap();
        let ending = Ending::of(outcome.clone());
        worker(&queue).route(CLASS, ending.clone()).drain().await.unwrap();
        let keys: Vec<String> = redis.query(&["KEYS", "*"]);
        assert_eq!(keys.len(), usize::from(left.is_some()), "{outcome:?}: {keys:?}");
        let fails = matches!(left, Some((State::Failed, _)));
        if let Some((state, bytes)) = left {
            assert_eq!(standing(&queue, state).await[0].0, bytes, "{outcome:?}");
        }
        let told = ending.told.lock().unwrap();
        let reason = "App\\Job\\A asked for another attempt after its last.";
        assert_eq!(*told, if fails { vec![reason] } else { vec![] });
    }
}

/// Whether its slots are full or one is free.
#[test]
fn row_29_sigterm_lets_what_runs_end_and_takes_nothing_more() {
    for slots in ["--concurrency=1", "--concurrency=2"] {
        let redis = Redis::start();
        let push = |message: &str| redis.query::<i64>(&["LPUSH", "{queue}:waiting", message]);
        push(&super::message("App\\Jobs\\WaitsForGate", 0));
        let worker = super::work(&redis, &[slots]);
        wait_until("it runs", || worker.stdout().contains("Processing App\\Jobs\\WaitsForGate."));
        worker.signal("TERM");
        wait_until("it takes no more", || worker.stderr().contains("taking no more jobs, waiting for 1"));
        let next = super::message("Noop", 0);
        push(&next);
        std::fs::create_dir_all(redis.dir().join("storage/gates")).unwrap();
        std::fs::write(redis.dir().join("storage/gates/n"), "").unwrap();
        let end = worker.finish();
        assert_eq!(end.code, 0, "{}", end.stderr);
        assert!(end.stdout.contains("Processed App\\Jobs\\WaitsForGate."), "{}", end.stdout);
        let keys: Vec<String> = redis.query(&["KEYS", "*"]);
        assert_eq!(keys, ["{queue}:waiting"]);
        assert_eq!(redis.query::<Vec<String>>(&["LRANGE", "{queue}:waiting", "0", "-1"]), [next]);
    }
}

#[test]
fn a_job_that_never_ends_to_tell_its_failure_keeps_no_worker_that_has_to_go() {
    for (words, once) in [(&["--grace=1"][..], true), (&["--max-jobs=1"], false)] {
        let redis = Redis::start();
        let message = super::message("MournsForEver", 0);
        let _: i64 = redis.query(&["LPUSH", "{queue}:waiting", &message]);
        let worker = super::work(&redis, words);
        wait_until("it has failed", || worker.stdout().contains("Failed MournsForEver."));
        worker.signal("TERM");
        wait_until("it goes without", || {
            // Of two signals in quick succession a process may see one.
            (!once).then(|| worker.signal("TERM"));
            worker.stderr().contains("not waiting any longer")
        });
        let end = worker.finish();
        assert_eq!(end.code, 0, "{}", end.stderr);
        assert_eq!(redis.query::<Vec<String>>(&["LRANGE", "{queue}:failed", "0", "-1"]), [message]);
    }
}

#[tokio::test]
async fn row_31_what_is_reloaded_from_timeout_or_failed_runs_once_more_with_its_attempts() {
    for (list, attempts) in [("{queue}:timeout", 0), ("{queue}:failed", 2)] {
        let redis = Redis::start();
        let queue = speaking(&redis, of("3.2.4"));
        let _: i64 = redis.query(&["LPUSH", list, &limited(2, attempts)]);
        let _: String = redis.query(&["RPOPLPUSH", list, "{queue}:waiting"]);
        let number = Arc::new(Mutex::new(Vec::new()));
        let heard = number.clone();
        let count = move |_: serde_json::Value, ctx: Context| {
            heard.lock().unwrap().push(ctx.job().attempts);
            async { Outcome::Threw(Exception::msg("boom")) }
        };
        worker(&queue).handle(CLASS, count).drain().await.unwrap();
        assert_eq!(*number.lock().unwrap(), [attempts + 1]);
        let state = if attempts < 2 { State::Delayed } else { State::Failed };
        let bytes = if attempts < 2 { limited(2, attempts + 1) } else { limited(2, attempts) };
        assert_eq!(standing(&queue, state).await[0].0, bytes);
    }
}

/// The intended difference to row 34: what waits for a slot is not reserved, and may run elsewhere.
#[tokio::test]
async fn row_34_a_third_job_is_left_waiting_while_two_run() {
    let redis = Redis::start();
    let queue = speaking(&redis, of("3.2.4"));
    for id in ["a", "b", "c"] {
        queue.push("{queue}", message(id, 0).as_bytes()).await.unwrap();
    }
    let (link, seen) = (queue.clone(), Arc::new(Mutex::new(Vec::new())));
    let (started, looked) = (Arc::new(AtomicUsize::new(0)), Arc::new(tokio::sync::Barrier::new(2)));
    let both = seen.clone();
    let slow = move |_: serde_json::Value, _: Context| {
        let (queue, seen, looked) = (link.clone(), both.clone(), looked.clone());
        let number = started.fetch_add(1, Ordering::SeqCst);
        async move {
            if number < 2 {
                looked.wait().await;
                let sizes = queue.size("{queue}").await.unwrap();
                seen.lock().unwrap().push((sizes.pending, sizes.reserved));
                looked.wait().await;
            }
        }
    };
    worker(&queue).concurrency(2).handle(CLASS, slow).drain().await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [(1, 2), (1, 2)]);
    let nothing = Sizes { timeout: Some(0), failed: Some(0), ..Sizes::default() };
    assert_eq!(queue.size("{queue}").await.unwrap(), nothing);
}

#[tokio::test]
async fn a_pool_of_php_processes_is_refused() {
    let redis = Redis::start();
    let queue = speaking(&redis, of("3.2.4"));
    queue.push("{queue}", message("a", 0).as_bytes()).await.unwrap();
    let error = worker(&queue).php(1).run().await.unwrap_err().to_string();
    assert!(error.contains("leave --php out"), "{error}");
    assert_eq!(standing(&queue, State::Pending).await, [(message("a", 0), None)]);
}

/// The intended difference to two equal messages in flight, which share one reservation in stock, so that one of them may
/// be lost: here they run one after the other.
#[tokio::test]
async fn equal_messages_all_run_one_after_the_other() {
    let redis = Redis::start();
    let queue = speaking(&redis, of("3.2.4"));
    let equal = vec![limited(0, 0).into_bytes(); 100];
    queue.push_all("{queue}", &equal).await.unwrap();
    queue.push("{queue}", limited(1, 0).as_bytes()).await.unwrap();
    let (ran, running) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let count = ran.clone();
    let run = move |_: serde_json::Value, ctx: Context| {
        let (count, running) = (count.clone(), running.clone());
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            if ctx.job().payload.max_tries() == Some(1) {
                assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "two at once");
                tokio::task::yield_now().await;
                running.fetch_sub(1, Ordering::SeqCst);
            }
        }
    };
    worker(&queue).handle(CLASS, run).drain().await.unwrap();
    assert_eq!(ran.load(Ordering::SeqCst), 101);
    let nothing = Sizes { timeout: Some(0), failed: Some(0), ..Sizes::default() };
    assert_eq!(queue.size("{queue}").await.unwrap(), nothing);
}
