//! A few jobs, one call to Redis, one fault of the line at exactly that call. Whatever is lost on the way, each job ends
//! once, spends no attempt that was not a run, and stands in one place at most. Every call meets every fault.
//! Never has two workers at a time: what others do meanwhile is the business of other files.

mod scene;

use std::thread;

use handover::dialect::{Dialect, Hyperf, Laravel, Think};

use self::scene::{Arrival, Call, Scene};
use crate::support::proxy::Fault;
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

/// What can happen to a command: each dialect meets it.
macro_rules! for_every_dialect {
    ($($module:ident: $dialect:expr),* $(,)?) => {$(
        mod $module {
            use super::*;

            fn dialect() -> Dialect {
                $dialect.into()
            }

            #[test]
            fn a_line_cut_before_a_command_costs_nothing() {
                at_each(&dialect(), &EVERY_CALL, Fault::CutBefore, Arrival::WhenAllIsDone);
            }

            #[test]
            fn a_line_cut_after_a_command_costs_nothing() {
                at_each(&dialect(), &EVERY_CALL, Fault::CutAfter, Arrival::WhenAllIsDone);
            }

            #[test]
            fn a_command_that_arrives_when_all_is_done_touches_nobody_elses_job() {
                at_each(&dialect(), &EVERY_CALL, Fault::Late, Arrival::WhenAllIsDone);
            }

            #[test]
            fn a_command_that_arrives_while_its_jobs_run_leaves_them_as_they_stand() {
                at_each(&dialect(), &BEFORE_A_RUN, Fault::Late, Arrival::WhileTheJobsRun);
            }
        }
    )*};
}

for_every_dialect!(
    laravel: Laravel::new(""),
    think: Think::new(""),
    think_before_3: Think::new("").version((1, 1, 6)),
    hyperf: Hyperf::new(""),
);

/// How the worker comes to know of it, which is no matter of the dialect.
fn in_laravels(fault: Fault) {
    at_each(&Laravel::new("").into(), &EVERY_CALL, fault, Arrival::WhenAllIsDone);
}

#[test]
fn half_a_command_costs_nothing() {
    in_laravels(Fault::TruncateCommand);
}

#[test]
fn half_an_answer_costs_nothing() {
    in_laravels(Fault::TruncateAnswer);
}

#[test]
fn a_line_that_swallows_a_command_in_silence_costs_nothing() {
    in_laravels(Fault::HalfOpenBefore);
}

#[test]
fn a_line_that_swallows_an_answer_in_silence_costs_nothing() {
    in_laravels(Fault::HalfOpenAfter);
}

/// All at once, each with a Redis of its own: a silent line takes as long as a call may take.
fn at_each(dialect: &Dialect, calls: &[Call], fault: Fault, arrival: Arrival) {
    let failed: Vec<Call> = thread::scope(|scope| {
        let play = |call| {
            let name = format!("{call:?} under {fault:?}");
            let play = move || Scene::new(dialect.clone(), call, fault, arrival).play();
            thread::Builder::new().name(name).spawn_scoped(scope, play).expect("a thread")
        };
        let played: Vec<_> = calls.iter().map(|&call| (call, play(call))).collect();
        played.into_iter().filter_map(|(call, played)| played.join().err().map(|_| call)).collect()
    });
    assert!(failed.is_empty(), "{fault:?} at {failed:?}: see above");
}
