//! What follows from an outcome: Laravel's rules of retrying, as functions of values.
//!
//! Never reads a clock, never talks to anything: times come in as Unix seconds.
//! Counterpart in PHP: the `markJobAsFailed...` methods and `calculateBackoff` of `Illuminate\Queue\Worker`.

use super::options::WorkerOptions;
use crate::dialect::Rules;
use crate::job::{Exception, Outcome, Payload, Settlement};

/// In seconds; longer times mean for ever, and would only overflow.
pub(crate) const CENTURY: i64 = 100 * 365 * 86_400;

/// What bounds one job: its own limits, else the worker's.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Attempts; 0 is unlimited.
    pub max_tries: i64,
    /// Unix second after which it may not run; it has no limit of attempts then.
    pub retry_until: Option<i64>,
    /// Seconds it may run; 0 is unlimited.
    pub timeout: i64,
    /// A timeout is final.
    pub fail_on_timeout: bool,
    /// Back-off as written: a number or a comma list. `own_backoff` tells whose it is.
    pub backoff: String,
    /// True where the back-off came with the job, or `--backoff` names one.
    pub own_backoff: bool,
}

impl Limits {
    /// The limits of a job under these options and rules.
    pub fn of(payload: &Payload, options: &WorkerOptions, rules: &Rules) -> Self {
        let own = payload.backoff().or_else(|| payload.delay()).filter(|_| !payload.is_plain());
        if !rules.reads_limits {
            return Limits {
                max_tries: options.tries,
                retry_until: None,
                timeout: options.timeout.clamp(0, CENTURY),
                fail_on_timeout: false,
                own_backoff: options.backoff != "0",
                backoff: options.backoff.clone(),
            };
        }
        Limits {
            max_tries: payload.max_tries().unwrap_or(options.tries),
            retry_until: payload
                .retry_until()
                .filter(|_| !payload.is_plain())
                .or_else(|| payload.timeout_at().filter(|_| rules.reads_timeout_at)),
            timeout: payload.timeout().unwrap_or(options.timeout).clamp(0, CENTURY),
            fail_on_timeout: rules.fails_on_timeout && payload.fail_on_timeout(),
            own_backoff: own.is_some() || options.backoff != "0",
            backoff: own.unwrap_or_else(|| options.backoff.clone()),
        }
    }

    /// Seconds before the next attempt after this one threw: the list's element for it, else the last.
    pub fn backoff_after(&self, attempts: i64) -> i64 {
        let list: Vec<&str> = self.backoff.split(',').collect();
        let index = usize::try_from(attempts - 1).unwrap_or(0).min(list.len() - 1);
        php_int(list[index]).clamp(-CENTURY, CENTURY)
    }
}

/// PHP's `(int)` of a string: the number it starts with, else 0.
fn php_int(text: &str) -> i64 {
    let text = text.trim_start();
    let number =
        text.find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c))).map_or(text, |end| &text[..end]);
    let integer = || number.parse::<i64>().ok();
    integer().or_else(|| number.parse::<f64>().ok().map(|f| f as i64)).unwrap_or(0)
}

/// The failure of a job that is over its limits before it ran; `None` where it may run.
pub fn exceeded_before(
    limits: &Limits,
    attempts: i64,
    now: i64,
    name: &str,
    rules: &Rules,
) -> Option<Exception> {
    let exceeded = match limits.retry_until {
        Some(until) => now > until,
        None => limits.max_tries != 0 && attempts > limits.max_tries,
    };
    let exceeded = exceeded && rules.fails_before_a_run;
    exceeded.then(|| Exception::new(rules.max_attempts_class, format!("{name}{}", rules.attempted_too_often)))
}

/// True where a job that has just thrown or timed out may not run again.
fn spent(limits: &Limits, attempts: i64, now: i64, rules: &Rules) -> bool {
    let by_time = limits.retry_until.is_some_and(|until| until <= now);
    let by_count = limits.max_tries > 0
        && attempts >= limits.max_tries
        && rules.fails_in_the_last_attempt
        && (limits.retry_until.is_none() || rules.tries_bind_despite_retry_until);
    by_time || by_count
}

/// One attempt as policy sees it.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Its number.
    pub attempts: i64,
    /// The job's name, for messages.
    pub name: &'a str,
    /// Unix second of the end of the attempt.
    pub now: i64,
    /// Unix second at which stock's reservation of this attempt would end.
    pub retry_at: i64,
    /// What it began may go on though it was ended: an endpoint's work.
    pub goes_on: bool,
    /// It is a string job: a class, a method and data, no object.
    pub is_string_job: bool,
}

/// What is done about an outcome; nothing where the job is left reserved, until its lease is over.
pub fn decide(
    outcome: Outcome,
    limits: &Limits,
    attempt: Attempt<'_>,
    options: &WorkerOptions,
    rules: &Rules,
) -> Option<Settlement> {
    let is_left = match &outcome {
        Outcome::Completed => attempt.is_string_job && rules.string_jobs_settle_themselves,
        Outcome::Threw(exception) => rules.catches_no_errors && is_php_error(&exception.class),
        Outcome::TimedOut => rules.timeout_leaves_reserved,
        _ => false,
    };
    (!is_left).then(|| settle(outcome, limits, attempt, options, rules))
}

/// A class that PHP itself throws where code is wrong: an `Error`, no `Exception`.
fn is_php_error(class: &str) -> bool {
    const ERRORS: [&str; 9] = [
        "Error",
        "TypeError",
        "ValueError",
        "ArgumentCountError",
        "ArithmeticError",
        "DivisionByZeroError",
        "AssertionError",
        "ParseError",
        "UnhandledMatchError",
    ];
    ERRORS.contains(&class)
}

fn settle(
    outcome: Outcome,
    limits: &Limits,
    attempt: Attempt<'_>,
    options: &WorkerOptions,
    rules: &Rules,
) -> Settlement {
    let Attempt { attempts, name, now, retry_at, goes_on, .. } = attempt;
    match outcome {
        Outcome::Completed | Outcome::Deleted => Settlement::Delete,
        Outcome::Released(_) if rules.release_needs_a_try && spent(limits, attempts, now, rules) => {
            Settlement::Fail(Exception::new(
                rules.max_attempts_class,
                format!("{name}{}", rules.attempted_too_often),
            ))
        }
        Outcome::Released(delay) => {
            let delay = i64::try_from(delay.as_secs()).unwrap_or(CENTURY).min(CENTURY);
            Settlement::Release { at: now + delay }
        }
        Outcome::Failed(exception) => Settlement::Fail(exception),
        Outcome::Threw(exception) if spent(limits, attempts, now, rules) => Settlement::Fail(exception),
        Outcome::Threw(_) => Settlement::Release { at: now + limits.backoff_after(attempts) },
        Outcome::TimedOut if limits.fail_on_timeout || spent(limits, attempts, now, rules) => {
            Settlement::Fail(Exception::new(rules.timeout_class, format!("{name}{}", rules.timed_out)))
        }
        Outcome::TimedOut => {
            let backoff = limits.own_backoff.then(|| now + limits.backoff_after(attempts));
            // Overlap locks and endpoints are tuned to the pause that a killed PHP worker leaves.
            let pause = if options.timeout_release_now { now } else { retry_at.max(now) };
            let at = match backoff {
                Some(at) if goes_on => at.max(pause),
                Some(at) => at,
                None => pause,
            };
            Settlement::Release { at }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000;

    fn limits(json: &str, options: &WorkerOptions, rules: &Rules) -> Limits {
        Limits::of(&Payload::parse(json.as_bytes().to_vec()).unwrap(), options, rules)
    }

    fn may_run(json: &str, attempts: i64, options: &WorkerOptions) -> bool {
        let rules = Rules::default();
        exceeded_before(&limits(json, options, &rules), attempts, NOW, "A", &rules).is_none()
    }

    fn after_throw(json: &str, attempts: i64, options: &WorkerOptions, rules: &Rules) -> Option<i64> {
        let attempt = Attempt {
            attempts,
            name: "A",
            now: NOW,
            retry_at: NOW + 90,
            goes_on: false,
            is_string_job: false,
        };
        match decide(
            Outcome::Threw(Exception::msg("boom")),
            &limits(json, options, rules),
            attempt,
            options,
            rules,
        ) {
            Some(Settlement::Release { at }) => Some(at - NOW),
            Some(Settlement::Fail(exception)) => {
                assert_eq!(exception.message, "boom");
                None
            }
            other => panic!("{other:?}"),
        }
    }

    fn tries(tries: i64) -> WorkerOptions {
        WorkerOptions { tries, ..Default::default() }
    }

    #[test]
    fn before_a_run_the_limit_itself_is_still_allowed() {
        for (json, attempts, tries_option, expected) in [
            ("{}", 1, 1, true),
            ("{}", 2, 1, false),
            ("{}", 99, 0, true),
            (r#"{"maxTries":5}"#, 5, 1, true),
            (r#"{"maxTries":5}"#, 6, 1, false),
            (r#"{"maxTries":0}"#, 9, 1, true),
            (r#"{"maxTries":null}"#, 2, 1, false),
            (r#"{"retryUntil":1000}"#, 9, 1, true),
            (r#"{"retryUntil":999}"#, 1, 5, false),
            (r#"{"retryUntil":0}"#, 2, 1, false),
        ] {
            assert_eq!(may_run(json, attempts, &tries(tries_option)), expected, "{json} attempt {attempts}");
        }
    }

    #[test]
    fn after_a_throw_the_limit_is_reached_by_the_last_attempt() {
        let newest = Rules::default();
        for (json, attempts, tries_option, expected) in [
            ("{}", 1, 1, None),
            ("{}", 1, 2, Some(0)),
            ("{}", 2, 2, None),
            ("{}", 99, 0, Some(0)),
            (r#"{"maxTries":5}"#, 4, 1, Some(0)),
            (r#"{"retryUntil":1000}"#, 1, 5, None),
            (r#"{"retryUntil":1001}"#, 9, 1, Some(0)),
        ] {
            assert_eq!(
                after_throw(json, attempts, &tries(tries_option), &newest),
                expected,
                "{json} attempt {attempts}"
            );
        }
        let old = Rules::laravel((8, 14));
        assert_eq!(after_throw(r#"{"retryUntil":1001}"#, 1, &tries(1), &old), None);
    }

    #[test]
    fn row_39_back_off_is_the_jobs_own_else_the_workers_and_the_last_of_a_list_goes_on() {
        let newest = Rules::default();
        let options = WorkerOptions { tries: 0, backoff: "2,4".into(), ..Default::default() };
        for (json, expected) in [
            ("{}", [2, 4, 4]),
            (r#"{"backoff":"1,5,10"}"#, [1, 5, 10]),
            (r#"{"backoff":"1,5"}"#, [1, 5, 5]),
            (r#"{"backoff":"0"}"#, [0, 0, 0]),
            (r#"{"backoff":7}"#, [7, 7, 7]),
            (r#"{"backoff":null,"delay":60}"#, [60, 60, 60]),
            (r#"{"backoff":"abc"}"#, [0, 0, 0]),
        ] {
            for (i, delay) in expected.into_iter().enumerate() {
                assert_eq!(
                    after_throw(json, i as i64 + 1, &options, &newest),
                    Some(delay),
                    "{json} attempt {}",
                    i + 1
                );
            }
        }
    }

    #[test]
    fn a_timeout_fails_or_waits_out_the_reservation() {
        let newest = Rules::default();
        let attempt = Attempt {
            attempts: 1,
            name: "A",
            now: NOW,
            retry_at: NOW + 30,
            goes_on: false,
            is_string_job: false,
        };
        let at = |json: &str, options: &WorkerOptions| {
            decide(Outcome::TimedOut, &limits(json, options, &newest), attempt, options, &newest)
                .expect("a settlement")
        };
        assert!(matches!(at("{}", &tries(1)), Settlement::Fail(e) if e.message == "A has timed out."));
        assert!(matches!(at(r#"{"failOnTimeout":true}"#, &tries(3)), Settlement::Fail(_)));
        assert_eq!(at("{}", &tries(3)), Settlement::Release { at: NOW + 30 });
        assert_eq!(at(r#"{"backoff":"5"}"#, &tries(3)), Settlement::Release { at: NOW + 5 });
        let now = WorkerOptions { timeout_release_now: true, ..tries(3) };
        assert_eq!(at("{}", &now), Settlement::Release { at: NOW });
    }

    #[test]
    fn a_timeout_at_an_endpoint_waits_out_the_reservation_whatever_its_back_off() {
        let newest = Rules::default();
        let attempt = Attempt {
            attempts: 1,
            name: "A",
            now: NOW,
            retry_at: NOW + 30,
            goes_on: true,
            is_string_job: false,
        };
        let at = |json: &str, options: &WorkerOptions| {
            decide(Outcome::TimedOut, &limits(json, options, &newest), attempt, options, &newest)
                .expect("a settlement")
        };
        let now = WorkerOptions { timeout_release_now: true, ..tries(3) };
        for (json, options, seconds) in [
            ("{}", &tries(3), 30),
            (r#"{"backoff":"5"}"#, &tries(3), 30),
            (r#"{"backoff":"45"}"#, &tries(3), 45),
            ("{}", &now, 0),
            (r#"{"backoff":"5"}"#, &now, 5),
        ] {
            assert_eq!(at(json, options), Settlement::Release { at: NOW + seconds }, "{json}");
        }
    }

    #[test]
    fn a_timeout_of_zero_is_no_limit_and_the_jobs_own_wins() {
        let newest = Rules::default();
        for (json, expected) in [("{}", 60), (r#"{"timeout":0}"#, 0), (r#"{"timeout":5}"#, 5)] {
            assert_eq!(limits(json, &WorkerOptions::default(), &newest).timeout, expected, "{json}");
        }
    }

    /// think-queue's answer to an outcome: `left`, `deleted`, `failed` or `released`.
    fn think(
        version: (u32, u32, u32),
        json: &str,
        attempts: i64,
        tries: i64,
        outcome: Outcome,
    ) -> &'static str {
        let (rules, options) = (Rules::think(version), self::tries(tries));
        let payload = Payload::parse_named(json.as_bytes().to_vec(), str::to_owned).unwrap();
        let limits = Limits::of(&payload, &options, &rules);
        if let Some(exception) = exceeded_before(&limits, attempts, NOW, "A", &rules) {
            assert!(exception.message.starts_with("A has been attempted too many times or run too long."));
            return "failed before";
        }
        let is_string_job = payload.command().is_none();
        let attempt = Attempt { attempts, name: "A", now: NOW, retry_at: NOW, goes_on: false, is_string_job };
        match decide(outcome, &limits, attempt, &options, &rules) {
            None => "left",
            Some(Settlement::Delete) => "deleted",
            Some(Settlement::Fail(_)) => "failed",
            Some(_) => "released",
        }
    }

    const THINK_3: (u32, u32, u32) = (3, 0, 9);
    const THINK_1: (u32, u32, u32) = (1, 1, 6);

    fn threw(class: &str) -> Outcome {
        Outcome::Threw(Exception::new(class, "boom"))
    }

    #[test]
    fn think_rows_12_and_28_a_string_job_that_settles_nothing_is_left_and_an_object_deleted() {
        let object = r#"{"data":{"commandName":"A","command":"O:1:\"A\":0:{}"}}"#;
        for version in [THINK_3, THINK_1] {
            assert_eq!(think(version, "{}", 1, 0, Outcome::Completed), "left");
            assert_eq!(think(version, "{}", 1, 0, Outcome::Deleted), "deleted");
            assert_eq!(think(version, object, 1, 0, Outcome::Completed), "deleted");
        }
    }

    #[test]
    fn think_rows_17_and_18_the_last_exception_fails_a_job_of_3_at_once_and_of_1_when_it_comes_back() {
        for (version, attempts, expected) in [
            (THINK_3, 1, "released"),
            (THINK_3, 2, "failed"),
            (THINK_1, 2, "released"),
            (THINK_1, 3, "failed before"),
        ] {
            assert_eq!(think(version, "{}", attempts, 2, threw("RuntimeException")), expected, "{attempts}");
        }
        assert_eq!(think(THINK_3, "{}", 99, 0, threw("RuntimeException")), "released");
    }

    #[test]
    fn think_rows_19_to_21_the_limits_in_a_payload_of_3() {
        for (json, attempts, tries, outcome, expected) in [
            (r#"{"maxTries":0}"#, 4, 1, threw("E"), "released"),
            (r#"{"timeoutAt":999}"#, 1, 0, Outcome::Deleted, "failed before"),
            (r#"{"timeoutAt":1000}"#, 9, 1, Outcome::Deleted, "deleted"),
            (r#"{"timeoutAt":2000}"#, 9, 1, Outcome::Deleted, "deleted"),
            (r#"{"timeoutAt":2000}"#, 9, 1, threw("E"), "failed"),
            (r#"{"timeoutAt":2000}"#, 9, 0, threw("E"), "released"),
            // Laravel's name for it is none of think-queue's.
            (r#"{"retryUntil":999}"#, 1, 0, Outcome::Deleted, "deleted"),
        ] {
            assert_eq!(think(THINK_3, json, attempts, tries, outcome), expected, "{json}");
        }
        assert_eq!(think(THINK_1, r#"{"maxTries":1,"timeoutAt":1}"#, 5, 0, Outcome::Deleted), "deleted");
    }

    #[test]
    fn think_rows_22_and_23_an_error_is_no_exception_before_3() {
        assert_eq!(think(THINK_1, "{}", 1, 0, threw("TypeError")), "left");
        assert_eq!(think(THINK_1, "{}", 1, 0, threw("DomainException")), "released");
        assert_eq!(think(THINK_3, "{}", 1, 0, threw("TypeError")), "released");
        assert_eq!(think(THINK_3, "{}", 1, 1, threw("TypeError")), "failed");
    }

    #[test]
    fn think_row_32_a_job_whose_time_is_up_is_left() {
        assert_eq!(think(THINK_3, "{}", 1, 1, Outcome::TimedOut), "left");
    }

    /// Hyperf's answer to an outcome: seconds until the next attempt, or nothing where the job failed.
    fn hyperf(max_attempts: i64, spent: i64, backoff: &str, outcome: Outcome) -> Option<i64> {
        let dialect = crate::dialect::Hyperf::new("");
        let job = format!("O:1:\"A\":1:{{s:11:\"maxAttempts\";i:{max_attempts};}}");
        let message = format!(
            "O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{{s:3:\"job\";{job}s:8:\"attempts\";i:{spent};}}"
        );
        let payload = dialect.read(message.into()).unwrap();
        let (rules, options) =
            (dialect.rules(), WorkerOptions { backoff: backoff.to_owned(), ..Default::default() });
        let limits = Limits::of(&payload, &options, &rules);
        let attempts = spent + 1;
        assert_eq!(exceeded_before(&limits, attempts, NOW, "A", &rules), None, "whatever is there runs");
        let attempt =
            Attempt { attempts, name: "A", now: NOW, retry_at: NOW, goes_on: false, is_string_job: false };
        match decide(outcome, &limits, attempt, &options, &rules).expect("nothing is left") {
            Settlement::Release { at } => Some(at - NOW),
            Settlement::Fail(_) => None,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn hyperf_rows_10_to_13_and_31_a_job_has_as_many_retries_as_it_says_and_one_run_at_least() {
        for (max_attempts, spent, expected) in
            [(0, 0, None), (2, 0, Some(5)), (2, 1, Some(5)), (2, 2, None), (2, 7, None)]
        {
            assert_eq!(hyperf(max_attempts, spent, "5", threw("E")), expected, "{max_attempts} {spent}");
        }
        for (spent, expected) in [1, 5, 10, 10, 10].into_iter().enumerate() {
            assert_eq!(hyperf(9, spent as i64, "1,5,10", threw("TypeError")), Some(expected));
        }
    }

    #[test]
    fn hyperf_row_28_a_release_takes_an_attempt_and_fails_the_job_where_none_is_left() {
        let released = || Outcome::Released(std::time::Duration::from_secs(7));
        assert_eq!(hyperf(1, 0, "5", released()), Some(7));
        assert_eq!(hyperf(1, 1, "5", released()), None);
    }
}
