//! Payloads that are the same to the last byte: a producer without ids pushes them, and each is a job of its own.

use super::worker;
use crate::support::differential::handover;
use crate::support::laravel::App;
use crate::support::process::{Running, wait_until};
use crate::support::redis::Redis;
use crate::support::tally::Tally;

#[test]
fn a_thousand_equal_payloads_run_a_thousand_times() {
    let (redis, tally) = (Redis::start(), Tally::start());
    let payload = tally.payload("same", 0.0);
    let mut connection = redis.connect(0);
    let () =
        redis::cmd("RPUSH").arg("queues:default").arg(vec![&payload; 1000]).query(&mut connection).unwrap();
    let workers = [0, 1].map(|_| Running::start(worker(&redis.url(0), &["--tries=1"])));
    wait_until("all have run", || tally.entries("same") == 2000);
    workers.iter().for_each(|worker| worker.signal("TERM"));
    for worker in workers {
        let end = worker.finish();
        assert_eq!(end.code, 0, "{}", end.stderr);
    }
    assert_eq!(tally.entries("same"), 2000);
    let left: usize = redis.query(&["DBSIZE"]);
    let keys: Vec<String> = redis.query(&["KEYS", "*"]);
    assert_eq!(left, 0, "{keys:?}");
}

#[test]
fn equal_payloads_without_a_uuid_that_fail_are_as_many_rows() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let list = app.key("queues:default");
    let payload =
        r#"{"displayName":"Legacy","job":"App\\Legacy@throws","maxTries":1,"data":[],"attempts":0}"#;
    let _: usize = redis.query(&["RPUSH", &list, payload, payload, payload]);
    let end = Running::start(handover(&app, &["--stop-when-empty"])).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_eq!(app.failed_rows().len(), 3, "{}", end.stderr);
}
