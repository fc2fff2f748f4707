//! A Redis that is killed and comes back, or stands still and goes on, under load: every job is accounted for and the
//! workers go on by themselves. Never empties it: that is in `flushed.rs`.

use std::collections::BTreeSet;
use std::time::Instant;

use super::{length, stop, told, worker};
use crate::support::process::{Running, wait_until};
use crate::support::redis::Redis;
use crate::support::tally::Tally;

const JOBS: usize = 2000;

fn names() -> impl Iterator<Item = String> + Clone {
    (0..JOBS).map(|n| format!("job-{n}"))
}

/// All jobs, each of which takes a twentieth of a second, and two workers that may run each of them once.
fn begin(redis: &Redis, tally: &Tally) -> [Running; 2] {
    let payloads: Vec<String> = names().map(|name| tally.payload(&name, 0.05)).collect();
    let () = redis::cmd("RPUSH")
        .arg("queues:default")
        .arg(payloads)
        .query(&mut redis.connect(0))
        .expect("the jobs");
    [0, 1].map(|_| Running::start(worker(&redis.url(0), &["--tries=1"])))
}

fn wait_for_starts(tally: &Tally, count: usize) {
    wait_until(&format!("{count} jobs to have started"), || tally.started() >= count);
}

/// Every job ran once and nothing is left of any.
fn all_ran_once(redis: &Redis, tally: &Tally, workers: [Running; 2]) {
    wait_until("nothing is left", || {
        let left = [("LLEN", "queues:default"), ("ZCARD", "queues:default:reserved")];
        left.iter().all(|(command, key)| length(redis, command, key) == 0)
    });
    let logs = workers.map(stop);
    let account = tally.account(names().collect::<Vec<_>>());
    let told = format!("{}\n{}", account.summary(), logs.join("\n--\n"));
    assert_eq!(account.done, JOBS, "{told}");
    assert_eq!((account.unexpected.len(), account.ended_twice.len()), (0, 0), "{told}");
    assert_eq!(account.repeated_without_cause(&BTreeSet::new()).len(), 0, "{told}");
    let keys: Vec<String> = redis.query(&["KEYS", "*"]);
    assert!(keys.iter().all(|key| key == "queues:default:notify"), "{keys:?}");
}

#[test]
fn a_redis_that_is_killed_twice_under_load_loses_and_repeats_nothing() {
    let mut redis = Redis::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let tally = Tally::start();
    let workers = begin(&redis, &tally);
    for (round, share) in [JOBS / 5, JOBS / 2].into_iter().enumerate() {
        wait_for_starts(&tally, share);
        redis.kill();
        wait_until("both see that it is gone", || {
            workers.iter().all(|worker| told(worker, "trying again") > round)
        });
        let before = tally.started();
        redis.restart();
        let back = Instant::now();
        wait_for_starts(&tally, before + 1);
        println!("the first job started {:?} after Redis answered again", back.elapsed());
        wait_until("both say that it is back", || {
            workers.iter().all(|worker| told(worker, "Redis answers again") > round)
        });
    }
    all_ran_once(&redis, &tally, workers);
}

#[test]
fn a_redis_that_stands_still_for_longer_than_a_call_may_take_costs_no_attempt() {
    let (redis, tally) = (Redis::start(), Tally::start());
    let workers = begin(&redis, &tally);
    wait_for_starts(&tally, JOBS / 5);
    redis.signal("STOP");
    // A call that was sent before has come to its deadline then, and so has the first attempt to dial anew.
    wait_until("both have given up a call", || workers.iter().all(|worker| told(worker, "trying again") > 0));
    redis.signal("CONT");
    let back = Instant::now();
    wait_until("both say that it answers", || {
        workers.iter().all(|worker| told(worker, "Redis answers again") > 0)
    });
    println!("both workers were back {:?} after Redis went on", back.elapsed());
    all_ran_once(&redis, &tally, workers);
}
