//! A hundred thousand jobs due in one second: a call moves no more than a hundred, and a worker runs them all. Never
//! judges by time; what Redis found slow is printed.

use handover::queue::{Exchange, Queue, Token};

use super::{length, stop, worker};
use crate::conformance::{LEASE, NOW, job, redis_queue};
use crate::support::process::{Running, wait_until};
use crate::support::redis::Redis;

const JOBS: usize = 100_000;
const BOUND: usize = 100;

/// Adds so many jobs to a sorted set, due in the same second.
fn put_off(redis: &Redis, key: &str, jobs: usize, at: i64, payload: impl Fn(usize) -> String) {
    let mut connection = redis.connect(0);
    let numbers: Vec<usize> = (0..jobs).collect();
    for part in numbers.chunks(10_000) {
        let mut request = redis::cmd("ZADD");
        request.arg(key);
        for n in part {
            request.arg(at).arg(payload(*n));
        }
        let _: usize = request.query(&mut connection).expect("put off");
    }
}

#[tokio::test]
async fn one_call_moves_a_hundred_of_each_source_at_most() {
    let redis = Redis::start();
    put_off(&redis, "queues:q:delayed", 1000, NOW, |n| job(&format!("d-{n}"), 0));
    put_off(&redis, "queues:q:reserved", 1000, NOW, |n| job(&format!("r-{n}"), 1));
    let queue = redis_queue(&redis);
    for call in 1..=3 {
        let token = Token::new(call as u32);
        let ask = Exchange { want: 1, token, now: NOW, lease: LEASE, ..Exchange::default() };
        let done = queue.exchange("q", ask).await.unwrap();
        assert_eq!(done.next_due, Some(NOW), "there is more");
        assert_eq!(done.reserved.len(), 1);
        done.reserved.into_iter().for_each(|reservation| reservation.close());
        let left = ["delayed", "reserved"].map(|part| length(&redis, "ZCARD", &format!("queues:q:{part}")));
        assert_eq!(left, [1000 - call * BOUND, 1000 - call * BOUND + call], "call {call}");
        assert_eq!(length(&redis, "LLEN", "queues:q"), call * 2 * BOUND - call);
    }
}

/// Calls of scripts so far, and jobs that are still put off, at one moment.
fn calls_and_delayed(redis: &Redis) -> (usize, usize) {
    let (stats, delayed): (String, usize) = redis::pipe()
        .atomic()
        .cmd("INFO")
        .arg("commandstats")
        .zcard("queues:default:delayed")
        .query(&mut redis.connect(0))
        .expect("two counts");
    let calls = ["cmdstat_evalsha:calls=", "cmdstat_eval:calls="].map(|name| {
        let rest = stats.split(name).nth(1).unwrap_or("0");
        rest.split(',').next().and_then(|calls| calls.trim().parse::<usize>().ok()).unwrap_or(0)
    });
    (calls.iter().sum(), delayed)
}

#[test]
fn a_hundred_thousand_jobs_due_at_once_are_moved_in_small_steps() {
    let redis = Redis::start_with(&["--slowlog-log-slower-than", "20000"]);
    put_off(&redis, "queues:default:delayed", JOBS, NOW, |n| {
        format!(r#"{{"id":"{n}","job":"Noop","data":[],"attempts":0}}"#)
    });
    let () = redis.query(&["SLOWLOG", "RESET"]);
    let worker = Running::start(worker(&redis.url(0), &["--concurrency=100", "--quiet"]));
    wait_until("all are moved", || {
        let (calls, delayed) = calls_and_delayed(&redis);
        assert!(JOBS - delayed <= calls * BOUND, "{} moved in {calls} calls", JOBS - delayed);
        delayed == 0
    });
    wait_until("all are done", || {
        length(&redis, "LLEN", "queues:default") == 0
            && length(&redis, "ZCARD", "queues:default:reserved") == 0
    });
    let (calls, _) = calls_and_delayed(&redis);
    stop(worker);
    let slow: Vec<Vec<redis::Value>> = redis.query(&["SLOWLOG", "GET", "128"]);
    let slowest = slow.iter().filter_map(|entry| redis::from_redis_value_ref::<u64>(&entry[2]).ok()).max();
    println!("{calls} calls; slower than 20 ms: {}, the slowest took {slowest:?} us", slow.len());
    let left: Vec<String> = redis.query(&["KEYS", "*"]);
    assert!(left.is_empty(), "{left:?}");
}
