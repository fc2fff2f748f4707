//! The account finds each kind of fault that it is there to find.

use std::collections::BTreeSet;

use crate::support::redis::Redis;
use crate::support::tally::Tally;

/// A tally in which these jobs have written these entries.
fn tally(written: &[(&str, &[&str])]) -> Tally {
    let redis = Redis::start();
    for (job, entries) in written {
        let words = [&["RPUSH", job], *entries].concat();
        let _: usize = redis.query(&words);
    }
    Tally::of(redis)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn what_was_lost_unexpected_repeated_or_ended_twice_is_named() {
    let tally = tally(&[
        ("fine", &["rust:1:starts", "rust:1:ends"]),
        ("unfinished", &["php:2:starts"]),
        ("stranger", &["rust:1:starts", "rust:1:ends"]),
        ("recovered", &["rust:1:starts", "rust:3:starts", "rust:3:ends"]),
        ("twice", &["rust:1:starts", "rust:1:ends", "php:2:starts", "php:2:ends"]),
        ("released", &["rust:1:starts", "rust:1:returns", "php:2:starts", "php:2:ends"]),
        ("released for good", &["php:2:starts", "php:2:returns"]),
    ]);
    let pushed =
        names(&["fine", "unfinished", "never", "recovered", "twice", "released", "released for good"]);
    let account = tally.account(pushed.clone());
    assert_eq!((account.pushed, account.started, account.done), (7, 6, 3));
    assert_eq!(Vec::from_iter(&account.lost), ["never", "released for good", "unfinished"]);
    assert_eq!(Vec::from_iter(&account.unexpected), ["stranger"]);
    assert_eq!(Vec::from_iter(account.repeated.keys()), ["recovered", "released", "twice"]);
    assert_eq!(Vec::from_iter(&account.ended_twice), ["twice"]);
    assert_eq!(account.starts.into_iter().collect::<Vec<_>>(), [(1, 4), (2, 4), (3, 1)]);
    let lengths: Vec<usize> = tally.histories(&pushed).iter().map(Vec::len).collect();
    assert_eq!(lengths, [2, 1, 0, 3, 4, 4, 2]);
}

#[test]
fn a_repeat_is_explained_only_where_all_its_earlier_processes_were_killed() {
    let tally = tally(&[
        ("killed", &["rust:1:starts", "rust:9:starts", "rust:9:ends"]),
        ("once of two", &["rust:1:starts", "rust:2:starts", "rust:9:starts", "rust:9:ends"]),
        ("alive", &["rust:2:starts", "rust:2:ends", "rust:9:starts"]),
    ]);
    let account = tally.account(names(&["killed", "once of two", "alive"]));
    let unexplained = account.repeated_without_cause(&BTreeSet::from([1]));
    assert_eq!(Vec::from_iter(unexplained.keys()), [&"alive", &"once of two"]);
    assert!(account.repeated_without_cause(&BTreeSet::from([1, 2])).is_empty());
}
