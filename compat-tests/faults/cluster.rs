//! A worker on a cluster: queues on different nodes, a slot that moves while its jobs flow, a node that does not answer.

use super::flow::{assert_each_ran_once, names, push, start, stop, wait_for_ends, wait_for_log};
use crate::support::cluster::Cluster;
use crate::support::process::wait_until;
use crate::support::redis::Redis;
use crate::support::tally::Tally;

/// On the second node, the first, and the third.
const QUEUES: [&str; 3] = ["{default}", "{b}", "{a}"];
const OWNERS: [usize; 3] = [1, 0, 2];

fn all_queues() -> String {
    QUEUES.join(",")
}

/// Pushes jobs to whichever node has the queue; asks again while its slot is between two nodes.
fn push_somewhere(cluster: &Cluster, tally: &Tally, queue: &str, jobs: &[String], seconds: f64) {
    wait_until("a node to take the jobs", || {
        // A transaction that was redirected has done nothing.
        (0..3).any(|node| push(&mut cluster.node(node).connect(0), tally, queue, jobs, seconds).is_ok())
    });
}

fn waits_at(cluster: &Cluster, node: usize) -> bool {
    cluster.node(node).query::<String>(&["CLIENT", "LIST"]).contains("cmd=blpop")
}

fn keys_left(cluster: &Cluster) -> usize {
    (0..3).map(|node| cluster.node(node).query::<usize>(&["DBSIZE"])).sum()
}

#[test]
fn the_queues_are_on_three_nodes() {
    let cluster = Cluster::start();
    for (queue, owner) in QUEUES.iter().zip(OWNERS) {
        assert_eq!(cluster.owner(cluster.slot(&format!("queues:{queue}"))), Some(owner));
    }
}

#[test]
fn jobs_flow_on_queues_of_three_nodes() {
    let (cluster, tally) = (Cluster::start(), Tally::start());
    let worker = start(&cluster.url(), &all_queues(), &[]);
    let mut jobs = Vec::new();
    for queue in QUEUES {
        let some = names(queue, 100);
        push_somewhere(&cluster, &tally, queue, &some, 0.0);
        jobs.extend(some);
    }
    wait_for_ends(&tally, &jobs);
    stop(worker);
    assert_each_ran_once(&tally, &jobs);
    assert_eq!(keys_left(&cluster), 0);
}

#[test]
fn a_queue_without_a_hash_tag_is_worked_under_one() {
    let (cluster, tally) = (Cluster::start(), Tally::start());
    // As Laravel from 13.5 on spells its keys on a cluster.
    let jobs = names("job", 10);
    push_somewhere(&cluster, &tally, "{default}", &jobs, 0.0);
    let worker = start(&cluster.url(), "default", &[]);
    wait_for_ends(&tally, &jobs);
    stop(worker);
    assert_each_ran_once(&tally, &jobs);
}

#[test]
fn a_slot_moves_while_its_jobs_flow() {
    let (cluster, tally) = (Cluster::start(), Tally::start());
    let mut worker = start(&cluster.url(), &all_queues(), &["--concurrency=4"]);
    let first = names("first", 100);
    push_somewhere(&cluster, &tally, QUEUES[0], &first, 0.02);
    wait_until("some run", || tally.started() >= 10);
    let moving = cluster.begin_move(cluster.slot("queues:{default}"), 0);
    // Keys are with both nodes: neither may run a script about all of them.
    moving.keys(1);
    wait_for_log(&mut worker, "trying again", 1);
    moving.finish();
    let last = names("last", 100);
    push_somewhere(&cluster, &tally, QUEUES[0], &last, 0.0);
    let jobs = [first, last].concat();
    wait_for_ends(&tally, &jobs);
    stop(worker);
    assert_each_ran_once(&tally, &jobs);
    assert_eq!(keys_left(&cluster), 0);
}

#[test]
fn while_a_slot_is_between_two_nodes_the_other_queues_flow() {
    let (cluster, tally) = (Cluster::start(), Tally::start());
    let mut worker = start(&cluster.url(), &all_queues(), &["--concurrency=4"]);
    let mut jobs = names("first", 100);
    push_somewhere(&cluster, &tally, QUEUES[0], &jobs, 0.02);
    wait_until("some run", || tally.started() >= 10);
    let moving = cluster.begin_move(cluster.slot("queues:{default}"), 0);
    moving.keys(1);
    wait_for_log(&mut worker, "trying again", 1);
    for queue in &QUEUES[1..] {
        let meanwhile = names(queue, 20);
        push_somewhere(&cluster, &tally, queue, &meanwhile, 0.0);
        wait_for_ends(&tally, &meanwhile);
        jobs.extend(meanwhile);
    }
    moving.finish();
    wait_for_ends(&tally, &jobs);
    stop(worker);
    assert_each_ran_once(&tally, &jobs);
}

#[test]
fn a_slot_that_moves_away_from_a_waiting_worker_is_waited_for_at_its_new_node() {
    let (cluster, tally) = (Cluster::start(), Tally::start());
    let worker = start(&cluster.url(), "{default}", &["--sleep=600"]);
    wait_until("it waits", || waits_at(&cluster, 1));
    cluster.begin_move(cluster.slot("queues:{default}"), 2).finish();
    wait_until("it waits at the new node", || waits_at(&cluster, 2));
    let jobs = names("job", 1);
    push_somewhere(&cluster, &tally, "{default}", &jobs, 0.0);
    wait_for_ends(&tally, &jobs);
    let log = stop(worker);
    assert_each_ran_once(&tally, &jobs);
    assert!(!log.contains("the poll timer fired"), "{log}");
}

#[test]
fn a_waiting_worker_is_woken_by_a_push_to_any_of_three_slots() {
    let (cluster, tally) = (Cluster::start(), Tally::start());
    let worker = start(&cluster.url(), &all_queues(), &["--sleep=600"]);
    let mut jobs = Vec::new();
    for round in 0..3 {
        for queue in QUEUES {
            wait_until("it waits at all three", || (0..3).all(|node| waits_at(&cluster, node)));
            let one = vec![format!("{queue}-{round}")];
            push_somewhere(&cluster, &tally, queue, &one, 0.0);
            wait_for_ends(&tally, &one);
            jobs.extend(one);
        }
    }
    let log = stop(worker);
    assert_each_ran_once(&tally, &jobs);
    assert!(!log.contains("the poll timer fired"), "{log}");
    assert_eq!(keys_left(&cluster), 0, "no wake-up token is left");
}

#[test]
fn while_one_node_does_not_answer_the_queues_of_the_others_flow() {
    let (cluster, tally) = (Cluster::start(), Tally::start());
    let mut worker = start(&cluster.url(), &all_queues(), &[]);
    let mut jobs = names("before", 20);
    push_somewhere(&cluster, &tally, QUEUES[0], &jobs, 0.0);
    wait_for_ends(&tally, &jobs);
    // The one with the queue that goes first.
    cluster.node(OWNERS[0]).signal("STOP");
    wait_for_log(&mut worker, "trying again", 1);
    for index in [1, 2] {
        let meanwhile = names(QUEUES[index], 20);
        push(&mut cluster.node(OWNERS[index]).connect(0), &tally, QUEUES[index], &meanwhile, 0.0).unwrap();
        wait_for_ends(&tally, &meanwhile);
        jobs.extend(meanwhile);
    }
    cluster.node(OWNERS[0]).signal("CONT");
    let after = names("after", 20);
    push_somewhere(&cluster, &tally, QUEUES[0], &after, 0.0);
    jobs.extend(after);
    wait_for_ends(&tally, &jobs);
    stop(worker);
    assert_each_ran_once(&tally, &jobs);
}

#[test]
fn a_node_that_stood_still_is_worked_again() {
    let (cluster, tally) = (Cluster::start(), Tally::start());
    let mut worker = start(&cluster.url(), &all_queues(), &["--concurrency=4"]);
    let mut jobs = names("before", 100);
    push_somewhere(&cluster, &tally, QUEUES[0], &jobs, 0.02);
    wait_until("some run", || tally.started() >= 10);
    cluster.node(OWNERS[0]).signal("STOP");
    wait_for_log(&mut worker, "trying again", 1);
    cluster.node(OWNERS[0]).signal("CONT");
    for queue in QUEUES {
        let after = names(queue, 20);
        push_somewhere(&cluster, &tally, queue, &after, 0.0);
        jobs.extend(after);
    }
    wait_for_ends(&tally, &jobs);
    stop(worker);
    assert_each_ran_once(&tally, &jobs);
    assert_eq!(keys_left(&cluster), 0);
}

#[test]
fn a_node_that_died_and_came_back_is_worked_again() {
    let (mut cluster, tally) = (Cluster::start(), Tally::start());
    let mut worker = start(&cluster.url(), &all_queues(), &[]);
    let mut jobs = names("before", 20);
    push_somewhere(&cluster, &tally, QUEUES[0], &jobs, 0.0);
    wait_for_ends(&tally, &jobs);
    cluster.node_mut(OWNERS[0]).kill();
    wait_for_log(&mut worker, "trying again", 1);
    cluster.node_mut(OWNERS[0]).restart();
    let after = names("after", 20);
    push_somewhere(&cluster, &tally, QUEUES[0], &after, 0.0);
    jobs.extend(after);
    wait_for_ends(&tally, &jobs);
    stop(worker);
    assert_each_ran_once(&tally, &jobs);
}

#[test]
fn a_node_without_slots_among_the_named_ones_is_passed_over() {
    let (cluster, tally) = (Cluster::start(), Tally::start());
    let blank = Redis::start_tcp(&["--cluster-enabled", "yes"]);
    let url =
        cluster.url().replace("redis+cluster://", &format!("redis+cluster://127.0.0.1:{},", blank.port()));
    let worker = start(&url, &all_queues(), &[]);
    let jobs = names("job", 10);
    push_somewhere(&cluster, &tally, QUEUES[0], &jobs, 0.0);
    wait_for_ends(&tally, &jobs);
    stop(worker);
    assert_each_ran_once(&tally, &jobs);
}

#[test]
fn a_first_node_that_hangs_with_several_queues_holds_up_nobody_else() {
    let (cluster, tally) = (Cluster::start(), Tally::start());
    // Names of queues that live on the first node.
    let on_first = |n: &usize| cluster.owner(cluster.slot(&format!("queues:{{q{n}}}"))) == Some(0);
    let hung: Vec<String> = (0..).filter(on_first).take(4).map(|n| format!("{{q{n}}}")).collect();
    let queues = format!("{},{}", hung.join(","), QUEUES[0]);
    let mut worker = start(&cluster.url(), &queues, &[]);
    wait_until("it waits", || waits_at(&cluster, 0) && waits_at(&cluster, 1));
    cluster.node(0).signal("STOP");
    wait_for_log(&mut worker, "trying again", 1);
    // Job after job, each pushed when the last has run.
    let mut jobs = Vec::new();
    for n in 0..5 {
        let job = names(&format!("job-{n}"), 1);
        // Straight to its own node: the first one would not answer.
        push(&mut cluster.node(OWNERS[0]).connect(0), &tally, QUEUES[0], &job, 0.0).unwrap();
        wait_for_ends(&tally, &job);
        jobs.extend(job);
    }
    assert!(!worker.stderr().contains("Redis answers again"), "the first node still hangs");
    cluster.node(0).signal("CONT");
    let last = names("last", 3);
    push_somewhere(&cluster, &tally, &hung[3], &last, 0.0);
    wait_for_ends(&tally, &last);
    jobs.extend(last);
    stop(worker);
    assert_each_ran_once(&tally, &jobs);
}
