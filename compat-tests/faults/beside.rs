//! A mixed fleet where no PHP is at hand: two consumers that send what those of the framework send, and two workers of
//! ours, on one queue. Every run of every job is accounted for. With the real PHP workers of Laravel it is `fleet.rs`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use super::{length, stop, told};
use crate::support::original::{Crew, Ended, Settings, Taken};
use crate::support::process::{Running, wait_until};
use crate::support::site::Site;
use crate::support::snapshot::now;
use crate::support::tally::{Entry, Tally, What};
use crate::support::wire::{Made, Wire, made, name_in, on_every_wire};

on_every_wire! {
    think: Think, think_before_3: ThinkBefore3, hyperf: Hyperf;
    five_thousand_jobs_of_a_mixed_fleet_are_each_accounted_for
}

const JOBS: usize = 5000;
/// How often a job may run.
const TRIES: i64 = 3;
/// What the originals give a job, in seconds, and what a long one takes them the first time.
const RETRY_AFTER: i64 = 2;
const LONG: f64 = 2.5;

/// What is particular about a job; its name begins so.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Plain,
    Delayed,
    Released,
    Throws,
    Fails,
    Long,
}

/// Of each kind but the plain one so many.
const KINDS: [(Kind, &str, usize); 5] = [
    (Kind::Delayed, "delayed", 200),
    (Kind::Released, "released", 150),
    (Kind::Throws, "throws", 150),
    (Kind::Fails, "fails", 100),
    (Kind::Long, "long", 8),
];

impl Kind {
    fn of(name: &str) -> Kind {
        let kind = KINDS.iter().find(|(_, prefix, _)| name.starts_with(prefix));
        kind.map_or(Kind::Plain, |(kind, ..)| *kind)
    }

    /// How often it goes back before it ends.
    fn times(self) -> i64 {
        match self {
            Kind::Plain | Kind::Delayed | Kind::Long => 0,
            Kind::Released | Kind::Throws => 1,
            Kind::Fails => i64::MAX,
        }
    }

    /// How often it runs where nothing is in its way.
    fn runs(self) -> usize {
        if self == Kind::Fails { TRIES as usize } else { 1 + self.times() as usize }
    }
}

fn names() -> Vec<String> {
    let special = KINDS.iter().map(|(.., count)| count).sum::<usize>();
    let kinds = KINDS.iter().map(|(_, name, count)| (*name, *count)).chain([("plain", JOBS - special)]);
    kinds.flat_map(|(name, count)| (0..count).map(move |n| format!("{name}-{n}"))).collect()
}

/// The jobs, those who work them, and what has failed in the hands of those who keep it nowhere.
struct Fleet {
    site: Site,
    tally: Arc<Tally>,
    failed: Arc<Mutex<Vec<String>>>,
}

impl Fleet {
    fn job(&self, name: &str) -> Made {
        let kind = Kind::of(name);
        made("Counted", name)
            .with("tally", self.tally.socket())
            .with("seconds", if kind == Kind::Long { LONG } else { 0.0 })
            .with("times", kind.times())
            .with("throws", kind != Kind::Released)
            .tries(TRIES)
    }

    /// Two of the originals: one job at a time each, and told apart by the numbers of processes that ours cannot have.
    fn originals(&self) -> Crew {
        let (wire, failed) = (self.site.wire, self.failed.clone());
        let links = [(); 2].map(|()| Mutex::new(self.tally.connect()));
        let run = move |number: usize, taken: &Taken| {
            let name = name_in(&taken.popped).into_owned();
            let kind = Kind::of(&name);
            let tell = |what: &str| {
                let mut command = redis::cmd("RPUSH");
                let entry = format!("php:{}:{what}", number + 1);
                command.arg(&name).arg(entry).exec(&mut links[number].lock().unwrap()).unwrap();
            };
            let fail = || {
                // Hyperf's keeps them in a list beside the queue.
                if wire.failed().is_none() {
                    failed.lock().unwrap().push(name.clone());
                }
                Ended::Failed
            };
            if wire != Wire::Hyperf && taken.attempts > TRIES {
                return fail();
            }
            tell("starts");
            if kind == Kind::Long && taken.attempts == 1 {
                sleep(Duration::from_secs_f64(LONG));
            }
            if taken.attempts <= kind.times() {
                tell("returns");
                let last = taken.attempts >= TRIES && wire != Wire::ThinkBefore3;
                return if last { fail() } else { Ended::Again(0) };
            }
            tell("ends");
            Ended::Done
        };
        let settings = Settings { retry_after: RETRY_AFTER, block_for: None };
        Crew::start(2, self.site.wire, &self.site.redis.url(0), settings, run)
    }

    /// One of ours, whose leases outlive any test: what must not run twice does not do so because a machine was slow.
    fn ours(&self) -> Running {
        let tries = format!("--tries={TRIES}");
        let flags = ["--concurrency=8", "--lease=600", "--backoff=0", "--quiet", &tries];
        Running::start(self.site.worker(&flags))
    }

    fn push(&self, names: &[String]) {
        let (wire, mut link) = (self.site.wire, self.site.redis.connect(0));
        let payloads = |delayed: bool| -> Vec<Vec<u8>> {
            let names = names.iter().filter(|name| (Kind::of(name) == Kind::Delayed) == delayed);
            names.map(|name| wire.payload(&self.job(name))).collect()
        };
        wire.put_off(&mut link, &payloads(true), now() as i64 + 1);
        wire.push(&mut link, &payloads(false));
    }

    /// How many jobs the queue holds that somebody is to run.
    fn left(&self) -> usize {
        let length = |command, key: &str| length(&self.site.redis, command, key);
        let sets = ["delayed", "reserved"].map(|part| length("ZCARD", &self.site.wire.key(part)));
        length("LLEN", self.site.wire.ready()) + sets[0] + sets[1]
    }

    /// The names of all jobs that have failed, with whomever.
    fn failed(&self) -> Vec<String> {
        let named = |payload: &[u8]| name_in(payload).into_owned();
        match self.site.wire.failed() {
            Some(list) => self.site.list(&list).iter().map(|payload| named(payload)).collect(),
            None => {
                let ours = self.site.failed_payloads();
                let ours = ours.iter().map(|payload| named(payload.as_bytes()));
                ours.chain(self.failed.lock().unwrap().iter().cloned()).collect()
            }
        }
    }

    /// Those whose time was up, where that is the end of them.
    fn given_up(&self) -> BTreeSet<String> {
        let list = self.site.wire.timeout().map(|list| self.site.list(&list)).unwrap_or_default();
        list.iter().map(|payload| name_in(payload).into_owned()).collect()
    }
}

/// What a job's entries tell: whether an original was still at it when somebody else began.
///
/// # Panics
/// Where one of ours was, or never came to an end.
fn is_overrun(name: &str, entries: &[Entry]) -> bool {
    let mut overrun = false;
    for (at, start) in entries.iter().enumerate().filter(|(_, entry)| entry.what == What::Starts) {
        let rest = &entries[at + 1..];
        let before_the_next = rest.iter().take_while(|entry| entry.what != What::Starts);
        let came_to_its_end = before_the_next.into_iter().any(|entry| entry.pid == start.pid);
        assert!(came_to_its_end || start.by == "php", "{name} was taken from one of ours: {entries:?}");
        overrun |= !came_to_its_end;
    }
    overrun
}

fn five_thousand_jobs_of_a_mixed_fleet_are_each_accounted_for(wire: Wire) {
    let fleet = Fleet { site: Site::new(wire), tally: Arc::new(Tally::start()), failed: Arc::default() };
    let names = names();
    // Each of the originals is at a job for longer than it may when ours join them.
    let held = ["long-0", "long-1"].map(str::to_owned);
    fleet.push(&held);
    let originals = fleet.originals();
    wait_until("both to be at it", || fleet.tally.started() == 2);
    let ours = [fleet.ours(), fleet.ours()];
    wait_until("ours to work", || ours.iter().all(|worker| told(worker, "working ") == 1));
    wait_until("both to have ended theirs", || held.iter().all(|name| fleet.tally.entries(name) >= 2));
    let others: Vec<String> = names.iter().filter(|name| !held.contains(name)).cloned().collect();
    fleet.push(&others);

    let fails = names.iter().filter(|name| Kind::of(name) == Kind::Fails).count();
    wait_until("each job to have ended or failed", || {
        fleet.left() == 0
            && fleet.failed().len() >= fails
            && fleet.tally.account(names.clone()).lost.len() == fails
    });
    originals.stop();
    ours.into_iter().for_each(|worker| drop(stop(worker)));
    assert_eq!(fleet.left(), 0);

    let (failed, given_up) = (fleet.failed(), fleet.given_up());
    let mut overrun = 0;
    for (name, entries) in names.iter().zip(fleet.tally.histories(&names)) {
        let count = |what| entries.iter().filter(|entry| entry.what == what).count();
        let failures = failed.iter().filter(|failed| *failed == name).count();
        let (starts, ends) = (count(What::Starts), count(What::Ends) + failures);
        if is_overrun(name, &entries) || given_up.contains(name) {
            // Theirs by their contract: nobody tells them, and nobody asks them.
            assert!(ends >= 1, "{name}: {entries:?}");
            assert!(entries.iter().any(|entry| entry.by == "php"), "{name}: {entries:?}");
            overrun += 1;
        } else {
            assert_eq!((starts, ends), (Kind::of(name).runs(), 1), "{name}: {entries:?}");
        }
    }
    assert!(overrun >= held.len(), "the two that were held for too long");
    assert!(given_up.is_empty() || wire == Wire::Hyperf);
    let account = fleet.tally.account(names);
    assert_eq!(account.unexpected.len(), 0, "{:?}", account.unexpected);
    let of_originals: usize = [1, 2].iter().map(|number| account.starts[number]).sum();
    let all: usize = account.starts.values().sum();
    println!(
        "{all} runs, {of_originals} of them the originals', {overrun} overrun by them: {}",
        account.summary()
    );
    assert!(of_originals > held.len() && all > of_originals, "both have done their part");
}
