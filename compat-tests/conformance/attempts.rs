//! Any payload: Redis, memory and Laravel's own script agree on whether it runs and on the bytes that stand reserved.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::judge::{Judge, payload};
use crate::support::redis::Redis;

#[test]
fn the_scripts_edit_what_the_model_edits() {
    let redis = Redis::start();
    let judge = std::cell::RefCell::new(Judge::new(&redis.url(0)));
    let config = ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() };
    let payloads = (vec(any::<u8>(), 0..60), any::<prop::sample::Index>(), any::<Option<u8>>());
    let run = TestRunner::new(config).run(&payloads, |(choices, at, change)| {
        let mut payload = payload(&choices);
        judge.borrow_mut().judge(&payload);
        if let Some(change) = change {
            let at = at.index(payload.len());
            payload[at] = change;
            judge.borrow_mut().judge(&payload);
        }
        Ok(())
    });
    run.unwrap();
}

#[test]
fn the_largest_count_is_recovered_and_the_one_after_it_set_aside() {
    let redis = Redis::start();
    let mut judge = Judge::new(&redis.url(0));
    for count in
        ["999999999", "1000000000", "1000000001", "-1000000000", "0.99999999999999999", "\"\\u00a05\""]
    {
        judge.judge(format!(r#"{{"attempts":{count}}}"#).as_bytes());
    }
}
