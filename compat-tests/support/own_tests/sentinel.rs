//! A master dies and its replica takes over; an order changes their roles; what was written stays.

use crate::support::process::wait_until;
use crate::support::sentinel::{SERVICE, Sentinels};

fn set(all: &Sentinels, index: usize, key: &str) {
    let mut connection = all.connect(index).expect("a node");
    let () = redis::cmd("SET").arg(key).arg("value").query(&mut connection).expect("a write");
}

fn has(all: &Sentinels, index: usize, key: &str) -> bool {
    redis::cmd("EXISTS").arg(key).query(&mut all.connect(index).expect("a node")).expect("an answer")
}

#[test]
fn the_replica_takes_over_from_a_killed_master_which_comes_back_as_its_replica() {
    let mut all = Sentinels::start();
    assert_eq!(all.master(), Some(0));
    set(&all, 0, "before");
    wait_until("the replica to have it", || all.in_step(1));
    all.kill(0);
    all.wait_for_master(1);
    assert!(has(&all, 1, "before"));
    set(&all, 1, "after");
    all.restart(0);
    wait_until("the old master to follow", || all.in_step(0));
    assert!(has(&all, 0, "after"));
}

#[test]
fn an_order_swaps_the_roles_with_passwords_too() {
    let all = Sentinels::with_password("secret");
    assert_eq!(all.master(), Some(0));
    set(&all, 0, "before");
    wait_until("the replica to have it", || all.in_step(1));
    all.failover();
    all.wait_for_master(1);
    wait_until("the old master to follow", || all.in_step(0));
    assert_eq!(all.role(0).as_deref(), Some("slave"));
    assert!(has(&all, 1, "before"));
    let url = all.url(2);
    assert!(url.starts_with("redis+sentinel://:secret@127.0.0.1:"), "{url}");
    assert!(url.ends_with(&format!("/{SERVICE}/2?sentinel_password=sentinel-secret")), "{url}");
}

#[test]
fn two_sentinels_are_enough() {
    let mut all = Sentinels::start();
    all.kill_sentinel(0);
    all.kill(0);
    all.wait_for_master(1);
    all.restart(0);
    all.restart_sentinel(0);
    wait_until("it has learnt who is the master", || all.master() == Some(1));
}
