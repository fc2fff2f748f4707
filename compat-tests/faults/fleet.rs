//! A mixed fleet: real PHP workers and ours on one queue of a real app, jobs that take longer than two `retry_after`s,
//! PHP polling all the while for reservations that ran out. Every job is accounted for.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::differential::{handover, php};
use crate::support::laravel::App;
use crate::support::process::{Running, wait_until};
use crate::support::redis::Redis;
use crate::support::tally::{Account, Tally};

/// Every other process gives up on a job after this time unless its reservation is renewed.
const RETRY_AFTER: &str = "5";
/// What one job in fifty takes in Rust.
const LONG: f64 = 12.0;
/// Jobs that one run of the app pushes.
const PORTION: usize = 500;
/// Of so many one is a long one.
const GROUP: usize = 50;
/// Jobs that one worker of ours runs at once.
const SLOTS: usize = 64;

struct Fleet {
    redis: Redis,
    tally: Tally,
    app: App,
    php: Vec<Running>,
    ours: Vec<Running>,
    tries: &'static str,
    /// Portions pushed so far.
    portions: usize,
}

impl Fleet {
    /// Two of each, all of them waiting for jobs.
    fn start(tries: &'static str) -> Fleet {
        let redis = Redis::start();
        let mut app = App::new(&redis);
        app.set_env("REDIS_QUEUE_RETRY_AFTER", RETRY_AFTER);
        let (php, ours) = (Vec::new(), Vec::new());
        let mut fleet = Fleet { redis, tally: Tally::start(), app, php, ours, tries, portions: 0 };
        for _ in 0..2 {
            fleet.add_php();
            fleet.add_ours();
        }
        fleet.wait_until_all_wait();
        fleet
    }

    fn add_php(&mut self) {
        self.php.push(Running::start(php(&self.app, &[self.tries])));
    }

    fn add_ours(&mut self) {
        self.ours.push(Running::start(handover(&self.app, &[self.tries, &format!("--concurrency={SLOTS}")])));
    }

    fn wait_until_all_wait(&self) {
        wait_until("all four to wait", || {
            let clients: String = self.redis.query(&["CLIENT", "LIST"]);
            // PHP polls with the text of its scripts, ours with their names.
            ["cmd=blpop ", "cmd=eval "].iter().all(|doing| clients.matches(doing).count() == 2)
        });
    }

    /// The app pushes a portion: in groups of fifty, the last of each group one that takes `seconds` in Rust.
    fn push(&mut self, seconds: f64) {
        let socket = self.tally.socket();
        let groups = (0..PORTION / GROUP).map(|group| self.portions * PORTION / GROUP + group);
        let group = |group: usize| {
            let short =
                json!({"job": "Counted", "args": [format!("{group}-%i"), socket, 0], "count": GROUP - 1});
            let long = json!({"job": "Counted", "args": [long(group), socket, seconds]});
            [short, long]
        };
        self.app.push(&Value::from_iter(groups.flat_map(group)));
        self.portions += 1;
    }

    /// The names of all jobs pushed so far.
    fn pushed(&self) -> Vec<String> {
        let groups = 0..self.portions * PORTION / GROUP;
        groups.flat_map(|group| (0..GROUP).map(move |n| format!("{group}-{n}"))).collect()
    }

    /// The long ones among them.
    fn long(&self) -> Vec<String> {
        (0..self.portions * PORTION / GROUP).map(long).collect()
    }

    fn account(&self) -> Account {
        self.tally.account(self.pushed())
    }

    /// Pushes more until each worker has started a job, and one of ours a long one.
    fn push_until_all_take_part(&mut self, seconds: f64) {
        wait_until("each worker to take part", || {
            let (all, long) = (self.account().starts, self.tally.account(self.long()).starts);
            let took_part = self.php.iter().chain(&self.ours).all(|worker| all.contains_key(&worker.pid()))
                && self.ours.iter().any(|worker| long.contains_key(&worker.pid()));
            if !took_part {
                self.push(seconds);
            }
            took_part
        });
    }

    fn signal(&self, name: &str) {
        self.php.iter().chain(&self.ours).for_each(|worker| worker.signal(name));
    }

    /// Waits until each worker stands in the middle of as many jobs as it can run, none of which can end.
    fn freeze_in_the_middle(&mut self) {
        wait_until("all to be idle", || self.left() == 0);
        // Stopped meanwhile, so that a portion stands ready when they go on, however long its push takes.
        self.signal("STOP");
        self.push(LONG);
        self.tally.signal("STOP");
        self.signal("CONT");
        wait_until("all slots to be full", || self.reserved() == 2 + 2 * SLOTS);
    }

    fn reserved(&self) -> usize {
        self.redis.query(&["ZCARD", &self.app.key("queues:default:reserved")])
    }

    /// How many jobs the queue holds, wherever.
    fn left(&self) -> usize {
        let key = self.app.key("queues:default");
        let ready: usize = self.redis.query(&["LLEN", &key]);
        let delayed: usize = self.redis.query(&["ZCARD", &format!("{key}:delayed")]);
        ready + delayed + self.reserved()
    }

    /// Lets all workers come to their end, then says what became of the jobs.
    fn finish(mut self) -> Account {
        wait_until("the queue to be empty", || self.left() == 0);
        self.wait_until_all_wait();
        let workers: Vec<Running> = self.php.drain(..).chain(self.ours.drain(..)).collect();
        workers.iter().for_each(|worker| worker.signal("TERM"));
        for worker in workers {
            let end = worker.finish();
            assert_eq!(end.code, 0, "{}{}", end.stdout, end.stderr);
        }
        assert_eq!(self.left(), 0);
        assert_eq!(self.app.failed_rows().len(), 0, "{}", self.app.failed_rows()[0]);
        self.account()
    }
}

/// The long job of a group of jobs.
fn long(group: usize) -> String {
    format!("{group}-{}", GROUP - 1)
}

fn kill(mut worker: Running) -> u32 {
    assert!(worker.is_running(), "{}", worker.stderr());
    worker.signal("KILL");
    let pid = worker.pid();
    assert_eq!(worker.finish().code, 128 + 9);
    pid
}

#[test]
fn php_and_rust_on_one_queue_run_each_of_five_thousand_jobs_exactly_once() {
    let mut fleet = Fleet::start("--tries=1");
    (0..5000 / PORTION).for_each(|_| fleet.push(LONG));
    fleet.push_until_all_take_part(LONG);
    let account = fleet.finish();
    let summary = account.summary();
    assert!(account.pushed >= 5000, "{summary}");
    assert_eq!(account.done, account.pushed, "{summary}");
    assert!(account.unexpected.is_empty(), "{summary}: {:?}", account.unexpected);
    assert!(account.repeated.is_empty(), "{summary}: {:?}", account.repeated);
}

#[test]
fn only_what_killed_workers_of_a_mixed_fleet_held_runs_again() {
    let mut fleet = Fleet::start("--tries=0");
    fleet.push_until_all_take_part(0.0);
    fleet.freeze_in_the_middle();
    let killed = BTreeSet::from([kill(fleet.php.remove(0)), kill(fleet.ours.remove(0))]);
    fleet.tally.signal("CONT");
    fleet.add_php();
    fleet.add_ours();
    let account = fleet.finish();
    let summary = account.summary();
    assert!(account.lost.is_empty(), "{summary}: {:?}", account.lost);
    assert!(account.unexpected.is_empty(), "{summary}: {:?}", account.unexpected);
    let without_cause = account.repeated_without_cause(&killed);
    assert!(without_cause.is_empty(), "{summary}: {without_cause:?}");
    assert!((1..=1 + SLOTS).contains(&account.repeated.len()), "{summary}");
    assert!(account.ended_twice.is_empty(), "{summary}: {:?}", account.ended_twice);
}
