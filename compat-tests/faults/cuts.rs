//! A few jobs, one call to Redis, one fault of the line at exactly that call. Whatever is lost on the way, each job ends
//! once, spends no attempt that was not a run, and stands in one place at most. Every call of every dialect meets every
//! fault. Never has two workers at a time: what others do meanwhile is the business of other files.

mod scene;

use std::thread;

use self::scene::{Arrival, Call, Scene};
use crate::support::proxy::Fault;
use crate::support::wire::Wire;
use Call::*;

const EVERY_CALL: [Call; 12] = [
    Reserve,
    Recover,
    MoveDelayed,
    MoveExpired,
    Renew,
    Release,
    Delete,
    Confirm,
    Fail,
    HandBack,
    Push,
    Later,
];

/// Those after which the jobs still have a run before them.
const BEFORE_A_RUN: [Call; 7] = [Reserve, Recover, MoveDelayed, MoveExpired, Renew, Release, HandBack];

#[test]
fn a_line_cut_before_a_command_costs_nothing() {
    at_each(&EVERY_CALL, Fault::CutBefore, Arrival::WhenAllIsDone);
}

#[test]
fn a_line_cut_after_a_command_costs_nothing() {
    at_each(&EVERY_CALL, Fault::CutAfter, Arrival::WhenAllIsDone);
}

#[test]
fn half_a_command_costs_nothing() {
    at_each(&EVERY_CALL, Fault::TruncateCommand, Arrival::WhenAllIsDone);
}

#[test]
fn half_an_answer_costs_nothing() {
    at_each(&EVERY_CALL, Fault::TruncateAnswer, Arrival::WhenAllIsDone);
}

#[test]
fn a_line_that_swallows_a_command_in_silence_costs_nothing() {
    at_each(&EVERY_CALL, Fault::HalfOpenBefore, Arrival::WhenAllIsDone);
}

#[test]
fn a_line_that_swallows_an_answer_in_silence_costs_nothing() {
    at_each(&EVERY_CALL, Fault::HalfOpenAfter, Arrival::WhenAllIsDone);
}

#[test]
fn a_command_that_arrives_when_all_is_done_touches_nobody_elses_job() {
    at_each(&EVERY_CALL, Fault::Late, Arrival::WhenAllIsDone);
}

#[test]
fn a_command_that_arrives_while_its_jobs_run_leaves_them_as_they_stand() {
    at_each(&BEFORE_A_RUN, Fault::Late, Arrival::WhileTheJobsRun);
}

/// Of every dialect, and all at once, each with a Redis of its own: most of a scene is waiting, for a line that is silent
/// or for a renewal.
fn at_each(calls: &[Call], fault: Fault, arrival: Arrival) {
    let scenes = Wire::ALL.iter().flat_map(|wire| calls.iter().map(move |call| (*wire, *call)));
    let failed: Vec<_> = thread::scope(|scope| {
        let play = |(wire, call): (Wire, Call)| {
            let name = format!("{wire:?}: {call:?} under {fault:?}");
            let play = move || Scene::new(wire.dialect(), call, fault, arrival).play();
            thread::Builder::new().name(name).spawn_scoped(scope, play).expect("a thread")
        };
        let played: Vec<_> = scenes.map(|scene| (scene, play(scene))).collect();
        played.into_iter().filter_map(|(scene, played)| played.join().err().map(|_| scene)).collect()
    });
    assert!(failed.is_empty(), "{fault:?} at {failed:?}: see above");
}
