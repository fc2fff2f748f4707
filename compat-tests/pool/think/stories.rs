//! What a job may do to itself, and what think's worker then leaves in Redis and among the failed jobs. Each story is
//! worked by the pool; where there is a real application its own `queue:work` must leave the same.

use std::collections::BTreeMap;

use super::*;

/// What is left of a job: where its payload stands, with how many attempts, and for how many seconds.
enum Left {
    Ready(&'static str, i64),
    Delayed(&'static str, i64, i64),
    Reserved(&'static str, i64, i64),
    Failed(&'static str, i64, &'static str),
}
use Left::{Delayed, Failed, Ready, Reserved};

struct Story {
    jobs: Vec<Job>,
    /// So many jobs are worked each time, with these flags; then everything becomes due.
    work: &'static [(usize, &'static [&'static str])],
    left: &'static [Left],
    trace: &'static [&'static str],
    /// The alarm is wanted, which `--once` does not set.
    daemon: bool,
}

type Work = fn(&App, usize, &[&str], bool);

fn by_the_pool(app: &App, jobs: usize, flags: &[&str], _: bool) {
    let most = format!("--max-jobs={jobs}");
    let end = start(app, &[flags, &[&most]].concat()).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
}

fn by_the_pool_once(app: &App, jobs: usize, flags: &[&str], _: bool) {
    for _ in 0..jobs {
        let end = start(app, &[flags, &["--once"]].concat()).finish();
        assert_eq!(end.code, 0, "{}", end.stderr);
    }
}

/// think's own worker, which dies where its job kills it.
fn by_think(app: &App, jobs: usize, flags: &[&str], daemon: bool) {
    let once: &[&str] = if daemon { &[] } else { &["--once"] };
    for _ in 0..jobs {
        app.think(&[&["queue:work", "redis", "--sleep=0"], flags, once].concat());
    }
}

impl Story {
    #[track_caller]
    fn is_told(&self) {
        self.by(by_the_pool);
        if !self.daemon {
            self.by(by_the_pool_once);
        }
        if real_app().is_some() {
            self.by(by_think);
        }
    }

    #[track_caller]
    fn by(&self, work: Work) {
        let redis = Redis::start();
        let app = App::new(&redis);
        push(&redis, &self.jobs);
        let mut began = now() as i64;
        for (turn, (jobs, flags)) in self.work.iter().enumerate() {
            if turn > 0 {
                shift(&redis, 1000);
                began = now() as i64;
            }
            work(&app, *jobs, flags, self.daemon);
        }
        let ended = now() as i64;

        assert_eq!(app.trace(), self.trace);
        let payload = |id: &str, attempts: i64| {
            self.jobs.iter().find(|job| job.id == id).expect("one of them").payload(attempts)
        };
        let (mut ready, mut later, mut failed) = (Vec::new(), [Vec::new(), Vec::new()], Vec::new());
        for left in self.left {
            match left {
                Ready(id, attempts) => ready.push(payload(id, *attempts)),
                Delayed(id, attempts, seconds) => later[0].push((payload(id, *attempts), *seconds)),
                Reserved(id, attempts, seconds) => later[1].push((payload(id, *attempts), *seconds)),
                Failed(id, attempts, exception) => failed.push(json!({
                    "connection": "redis", "queue": "default", "payload": payload(id, *attempts), "exception": exception,
                })),
            }
        }
        assert_eq!(redis.query::<Vec<String>>(&["LRANGE", READY, "0", "-1"]), ready);
        for (set, expected) in ["delayed", "reserved"].iter().zip(later) {
            let found = members(&redis, &format!("{READY}:{set}"));
            let expected: BTreeMap<String, i64> = expected.into_iter().collect();
            assert!(found.keys().eq(expected.keys()), "{set}: {found:#?}, not {expected:#?}");
            for ((member, seconds), at) in expected.iter().zip(found.values()) {
                assert!(
                    (began + seconds..=ended + seconds).contains(at),
                    "{set} {member} at {at}, began {began}"
                );
            }
        }
        assert_eq!(app.failed_rows(), failed);
    }
}

macro_rules! stories {
    ($($(#[$note:meta])* $name:ident { $($field:ident: $value:expr),* $(,)? })*) => {$(
        #[test]
        $(#[$note])*
        fn $name() {
            let nothing = Story { jobs: vec![], work: &[(1, &[])], left: &[], trace: &[], daemon: false };
            Story { $($field: $value,)* ..nothing }.is_told();
        }
    )*};
}

const BOOM: &str = "RuntimeException: boom";
const OVER: &str = "think\\queue\\exception\\MaxAttemptsExceededException: Deeds has been attempted too many times or run too long. The job may have previously timed out.";

stories! {
    row_9_a_job_that_deletes_itself_is_gone_and_its_first_attempt_is_number_1 {
        jobs: vec![job("j", &["delete"])],
        trace: &["Deeds j attempt 1"],
    }
    row_11_a_release_puts_the_job_aside_with_its_attempt_counted {
        jobs: vec![job("j", &["release:5"]), job("i", &["releaseInterval:40"]), job("d", &["releaseDate:50"])],
        work: &[(3, &[])],
        left: &[Delayed("j", 1, 5), Delayed("i", 1, 40), Delayed("d", 1, 50)],
        trace: &["Deeds j attempt 1", "Deeds i attempt 1", "Deeds d attempt 1"],
    }
    row_12_a_handler_that_settles_nothing_leaves_its_job_reserved {
        jobs: vec![job("j", &[])],
        left: &[Reserved("j", 1, 60)],
        trace: &["Deeds j attempt 1"],
    }
    row_14_an_expired_reservation_comes_back_with_its_attempts_as_they_are {
        jobs: vec![job("j", &[])],
        work: &[(1, &[]), (1, &[])],
        left: &[Reserved("j", 2, 60)],
        trace: &["Deeds j attempt 1", "Deeds j attempt 2"],
    }
    row_18_a_job_that_always_throws_fails_in_its_last_attempt {
        jobs: vec![job("j", &["boom"])],
        work: &[(1, &["--tries=2", "--delay=7"]), (1, &["--tries=2", "--delay=7"])],
        left: &[Failed("j", 1, BOOM)],
        trace: &["Deeds j attempt 1", "Deeds j attempt 2", "failed() RuntimeException"],
    }
    an_exception_releases_the_job_after_the_delay {
        jobs: vec![job("j", &["boom"])],
        work: &[(1, &["--delay=7"])],
        left: &[Delayed("j", 1, 7)],
        trace: &["Deeds j attempt 1"],
    }
    row_19_no_limit_in_the_payload_goes_before_the_option {
        jobs: vec![job("j", &["boom"]).limits(json!({"maxTries": 0})).attempts(4)],
        work: &[(1, &["--tries=1", "--delay=3"])],
        left: &[Delayed("j", 5, 3)],
        trace: &["Deeds j attempt 5"],
    }
    row_20_a_job_after_its_last_moment_is_failed_and_not_run {
        jobs: vec![job("j", &["delete"]).limits(json!({"timeoutAt": 1000}))],
        left: &[Failed("j", 0, OVER)],
        trace: &["failed() think\\queue\\exception\\MaxAttemptsExceededException"],
    }
    row_21_before_its_last_moment_a_job_runs_whatever_its_tries_and_fails_where_it_throws {
        jobs: vec![job("j", &["boom"]).limits(json!({"timeoutAt": 9_999_999_999_i64})).attempts(4)],
        work: &[(1, &["--tries=2"])],
        left: &[Failed("j", 4, BOOM)],
        trace: &["Deeds j attempt 5", "failed() RuntimeException"],
    }
    a_job_that_has_had_its_tries_is_failed_and_not_run {
        jobs: vec![job("j", &["delete"]).limits(json!({"maxTries": 2})).attempts(2)],
        left: &[Failed("j", 2, OVER)],
        trace: &["failed() think\\queue\\exception\\MaxAttemptsExceededException"],
    }
    row_23_an_error_is_as_an_exception {
        jobs: vec![job("j", &["error"]), job("k", &["error"]).limits(json!({"maxTries": 1}))],
        work: &[(2, &["--delay=9"])],
        left: &[Delayed("j", 1, 9), Failed("k", 0, "Error: Call to undefined function app\\job\\no_such_function()")],
        trace: &["Deeds j attempt 1", "Deeds k attempt 1", "failed() Error"],
    }
    row_24_a_job_is_called_by_a_short_name_and_a_method {
        jobs: vec![job("j", &[]).named("hello@task"), job("k", &["delete"]).named("app\\job\\Deeds")],
        work: &[(2, &[])],
        trace: &["Hello task 1", "Deeds k attempt 1"],
    }
    row_27_a_class_that_is_not_there_fails_the_job {
        jobs: vec![job("j", &[]).named("Nope")],
        work: &[(1, &["--tries=1"])],
        left: &[Failed("j", 0, "think\\exception\\ClassNotFoundException: class not exists: app\\job\\Nope")],
    }
    row_28_an_object_is_deleted_after_its_handle {
        jobs: vec![Job {
            data: json!({"commandName": "app\\job\\Mailer", "command": "O:14:\"app\\job\\Mailer\":1:{s:2:\"to\";s:1:\"m\";}"}),
            ..job("j", &[]).named("think\\queue\\CallQueuedHandler@call")
        }],
        trace: &["Mailer m"],
    }
    an_object_that_throws_is_released_and_then_failed {
        jobs: vec![Job {
            data: json!({"commandName": "app\\job\\Bad", "command": "O:11:\"app\\job\\Bad\":1:{s:1:\"m\";s:3:\"bad\";}"}),
            ..job("j", &[]).named("think\\queue\\CallQueuedHandler@call").limits(json!({"maxTries": 2}))
        }],
        work: &[(1, &[]), (1, &[])],
        left: &[Failed("j", 1, "DomainException: bad")],
        trace: &["Bad", "Bad"],
    }
    row_34_a_job_deleted_after_its_release_stays_put_aside {
        jobs: vec![job("j", &["release:5", "delete"])],
        left: &[Delayed("j", 1, 5)],
        trace: &["Deeds j attempt 1"],
    }
    a_job_released_after_its_deletion_is_there_again {
        jobs: vec![job("j", &["delete", "release:6"])],
        left: &[Delayed("j", 1, 6)],
        trace: &["Deeds j attempt 1"],
    }
    a_second_release_says_when {
        jobs: vec![job("j", &["release:5", "release:50"])],
        left: &[Delayed("j", 1, 50)],
        trace: &["Deeds j attempt 1"],
    }
    a_job_that_releases_itself_and_throws_is_released_once {
        jobs: vec![job("j", &["release:5", "boom"])],
        work: &[(1, &["--delay=90"])],
        left: &[Delayed("j", 1, 5)],
        trace: &["Deeds j attempt 1"],
    }
    a_job_that_releases_itself_and_throws_in_its_last_attempt_fails_and_stays_put_aside {
        jobs: vec![job("j", &["release:5", "boom"])],
        work: &[(1, &["--tries=1"])],
        left: &[Delayed("j", 1, 5), Failed("j", 0, BOOM)],
        trace: &["Deeds j attempt 1", "failed() RuntimeException"],
    }
    a_job_that_deletes_itself_and_throws_is_gone_and_leaves_no_row {
        jobs: vec![job("j", &["delete", "boom"])],
        work: &[(1, &["--tries=1"])],
        trace: &["Deeds j attempt 1"],
    }
    a_failed_method_that_throws_leaves_the_row_all_the_same {
        jobs: vec![job("j", &["failsToFail"])],
        work: &[(1, &["--tries=1"])],
        left: &[Failed("j", 0, BOOM)],
        trace: &["Deeds j attempt 1", "failed() RuntimeException"],
    }
    row_32_a_job_whose_time_is_up_takes_its_process_with_it_and_stays_reserved {
        jobs: vec![job("j", &["sleep:30", "delete"]).limits(json!({"timeout": 1, "maxTries": 1}))],
        left: &[Reserved("j", 1, 60)],
        trace: &["Deeds j attempt 1"],
        daemon: true,
    }
    a_job_within_its_time_by_less_than_a_second_is_done {
        jobs: vec![job("j", &["sleep:0.2", "delete"]).limits(json!({"timeout": 20}))],
        trace: &["Deeds j attempt 1"],
    }
    a_job_that_ends_its_process_stays_reserved {
        jobs: vec![job("j", &["leave:0"]), job("k", &["leave:3"]), job("l", &["kill"])],
        work: &[(3, &["--tries=1"])],
        left: &[Reserved("j", 1, 60), Reserved("k", 1, 60), Reserved("l", 1, 60)],
        trace: &["Deeds j attempt 1", "Deeds k attempt 1", "Deeds l attempt 1"],
    }
    what_was_done_before_its_process_ended_is_done {
        jobs: vec![job("j", &["delete", "kill"]), job("k", &["release:8", "leave:1"])],
        work: &[(1, &[]), (1, &[])],
        left: &[Delayed("k", 1, 8)],
        trace: &["Deeds j attempt 1", "Deeds k attempt 1"],
    }
    the_next_job_waits_its_turn {
        jobs: vec![job("j", &["delete"]), job("k", &["delete"])],
        left: &[Ready("k", 0)],
        trace: &["Deeds j attempt 1"],
    }
}
