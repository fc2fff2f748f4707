//! A worker is cut off with a settlement on its way, for longer than the lease, and another one takes the job over. When
//! the first is back, nobody can tell which of the two has ended it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use handover::dialect::Laravel;
use handover::events::Event;
use handover::queue::{BoxFuture, RedisQueue, RedisQueueOptions};
use handover::redis::Redis as Link;
use handover::worker::WorkerOptions;
use handover::{Context, Exception, Outcome, Worker};

use super::rows::Rows;
use crate::support::process::wait_until;
use crate::support::proxy::{Fault, Proxy, When};
use crate::support::redis::Redis;
use crate::support::snapshot::shift;

const LEASE: Duration = Duration::from_secs(1);
const JOB: &str = r#"{"uuid":"x","displayName":"Job","job":"Illuminate\\Queue\\CallQueuedHandler@call","maxTries":3,"data":[],"attempts":0}"#;

/// A worker that ends every job like this.
fn worker(url: &str, outcome: Outcome) -> Worker {
    let link = Link::new(url).unwrap();
    let handler =
        move |_: Context| -> BoxFuture<'static, Outcome> { Box::pin(std::future::ready(outcome.clone())) };
    let options = WorkerOptions { lease: Some(LEASE.as_secs() as i64), ..WorkerOptions::default() };
    let queue = RedisQueue::new(link, Laravel::new(""), RedisQueueOptions::default());
    Worker::on(queue).options(options).route("*", handler)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_that_redis_did_not_answer_for_a_whole_lease_keeps_its_row_and_says_so() {
    let redis = Redis::start();
    let proxy = Arc::new(Proxy::new(&redis));
    let rows = Rows::default();
    let _: i64 = redis.query(&["RPUSH", "queues:default", JOB]);

    // The removal never reaches Redis, nor does anything after it.
    proxy.arm(When::word("fail"), Fault::CutBefore);
    let (line, down) = (proxy.clone(), Arc::new(AtomicBool::new(false)));
    let is_down = down.clone();
    let unseen = Arc::new(AtomicBool::new(false));
    let told = unseen.clone();
    let failing = worker(&proxy.url(0), Outcome::Failed(Exception::msg("boom")))
        .failed_jobs(rows.clone())
        .on_event(move |event| {
            if matches!(event, Event::QueueDown { .. }) {
                line.refuse(true);
                is_down.store(true, Ordering::SeqCst);
            }
            if matches!(event, Event::SettledUnseen { .. }) {
                told.store(true, Ordering::SeqCst);
            }
        });
    let failing = tokio::spawn(failing.drain());
    wait_until("the line to be down", || down.load(Ordering::SeqCst));
    assert_eq!(proxy.fired(), 1);
    let down_since = Instant::now();
    shift(&redis, 200);
    worker(&redis.url(0), Outcome::Completed).drain().await.unwrap();
    assert_eq!(
        redis.query::<i64>(&["ZCARD", "queues:default:reserved"]),
        0,
        "the other one has completed it"
    );

    wait_until("the lease is over", || down_since.elapsed() > LEASE);
    proxy.refuse(false);
    failing.await.unwrap().unwrap();
    // Had the removal reached Redis, it would look the same: a row too many is better than a job without a trace.
    assert_eq!(rows.all().len(), 1, "{:#?}", rows.all());
    assert!(unseen.load(Ordering::SeqCst), "it is told");
}
