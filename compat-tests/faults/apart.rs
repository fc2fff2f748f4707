//! One queue that cannot be worked says nothing about the others: they flow, and the log is no flood.

use super::flow::{assert_each_ran_once, names, push, start, stop, wait_for_ends, wait_for_log};
use crate::support::process::wait_until;
use crate::support::redis::Redis;
use crate::support::tally::Tally;

#[test]
fn a_queue_whose_key_is_another_type_holds_up_no_other() {
    for queues in ["broken,sound", "sound,broken"] {
        let (redis, tally) = (Redis::start(), Tally::start());
        let () = redis.query(&["SET", "queues:broken", "x"]);
        let mut worker = start(&redis.url(0), queues, &["--sleep=0.05"]);
        wait_for_log(&mut worker, "trying again", 1);
        let jobs = names("job", 50);
        push(&mut redis.connect(0), &tally, "sound", &jobs, 0.01).unwrap();
        wait_for_ends(&tally, &jobs);
        let asked = || redis.query::<String>(&["INFO", "commandstats"]);
        let exchanges = || {
            let stats = asked();
            let line = stats.lines().find(|line| line.starts_with("cmdstat_evalsha")).unwrap_or_default();
            line.split(['=', ',']).nth(1).and_then(|calls| calls.parse::<u64>().ok()).unwrap_or_default()
        };
        let before = exchanges();
        wait_until("it has asked again and again", || exchanges() > before + 20);
        let () = redis.query(&["DEL", "queues:broken"]);
        let last = names("last", 3);
        push(&mut redis.connect(0), &tally, "broken", &last, 0.0).unwrap();
        wait_for_ends(&tally, &last);
        let log = stop(worker);
        assert_each_ran_once(&tally, &[jobs, last].concat());
        assert!(log.matches("trying again").count() <= 2, "{log}");
        assert!(log.matches("Redis answers again").count() <= 2, "{log}");
    }
}
