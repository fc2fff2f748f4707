//! What differs between a framework's versions in retrying, timing out, telling why and pushing: as data.
//!
//! The worker sees these values and never a framework's name. Counterpart in PHP: `Illuminate\Queue\Worker` of each
//! version.

use super::Shape;

/// The rules of one framework version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// An exception fails a job by its tries even where it has a `retryUntil` (up to 8.14).
    pub tries_bind_despite_retry_until: bool,
    /// `retryUntil` may stand under its older name `timeoutAt` (up to 9.25).
    pub reads_timeout_at: bool,
    /// `failOnTimeout` counts (from 8.43).
    pub fails_on_timeout: bool,
    /// Limits that stand in a payload count (not in think-queue 1 and 2).
    pub reads_limits: bool,
    /// A job that throws in its last attempt fails at once; else its next reservation finds that it is over its limits.
    pub fails_in_the_last_attempt: bool,
    /// The worker catches exceptions alone: what PHP calls an `Error` leaves the job reserved.
    pub catches_no_errors: bool,
    /// A string job settles itself: where its handler returns without having done so, it is left reserved.
    pub string_jobs_settle_themselves: bool,
    /// A job whose time is up is left reserved, for its worker is killed; so is the job of a PHP process that died.
    pub timeout_leaves_reserved: bool,
    /// Class of the exception of a job over its limits.
    pub max_attempts_class: &'static str,
    /// What follows the job's name in the message of a job over its limits.
    pub attempted_too_often: &'static str,
    /// Class of a timeout that fails the job.
    pub timeout_class: &'static str,
    /// What follows the job's name in its message.
    pub timed_out: &'static str,
    /// A job over its limits is found out before it runs (not in Hyperf: whatever is on the list runs).
    pub fails_before_a_run: bool,
    /// A job that releases itself in its last attempt fails (Hyperf, where it would be dropped).
    pub release_needs_a_try: bool,
    /// The job's own `failed` is called (not in Hyperf before 3.1).
    pub tells_the_job: bool,
    /// A push leaves a token that wakes a waiting worker, and it takes the token; else a wait takes nothing.
    pub has_wake_ups: bool,
    /// Jobs can run in PHP processes that Handover starts (not Hyperf's, whose consumers are a part of its server).
    pub has_pool: bool,
    /// The payload of jobs that a handler pushes.
    pub shape: Shape,
}

const MAX_ATTEMPTS_CLASS: &str = "Illuminate\\Queue\\MaxAttemptsExceededException";

const LONG_TEXT: &str =
    " has been attempted too many times or run too long. The job may have previously timed out.";

impl Rules {
    /// Laravel's rules in this version, `(major, minor)`.
    pub fn laravel(version: (u32, u32)) -> Self {
        let short = version >= (10, 10);
        Rules {
            tries_bind_despite_retry_until: version < (8, 15),
            reads_timeout_at: version < (9, 26),
            fails_on_timeout: version >= (8, 43),
            reads_limits: true,
            fails_in_the_last_attempt: true,
            catches_no_errors: false,
            string_jobs_settle_themselves: false,
            timeout_leaves_reserved: false,
            max_attempts_class: MAX_ATTEMPTS_CLASS,
            attempted_too_often: if short { " has been attempted too many times." } else { LONG_TEXT },
            timeout_class: if short {
                "Illuminate\\Queue\\TimeoutExceededException"
            } else {
                MAX_ATTEMPTS_CLASS
            },
            timed_out: if short { " has timed out." } else { LONG_TEXT },
            fails_before_a_run: true,
            release_needs_a_try: false,
            tells_the_job: true,
            has_wake_ups: true,
            has_pool: true,
            shape: Shape::laravel(version),
        }
    }
}

impl Rules {
    /// think-queue's rules in this version.
    pub fn think(version: (u32, u32, u32)) -> Self {
        let since_3 = version >= (3, 0, 0);
        let class = match version >= (3, 0, 2) {
            true => "think\\queue\\exception\\MaxAttemptsExceededException",
            false => "RuntimeException",
        };
        Rules {
            tries_bind_despite_retry_until: true,
            reads_timeout_at: true,
            fails_on_timeout: false,
            reads_limits: since_3,
            fails_in_the_last_attempt: since_3,
            catches_no_errors: !since_3,
            string_jobs_settle_themselves: true,
            timeout_leaves_reserved: true,
            max_attempts_class: class,
            attempted_too_often: LONG_TEXT,
            timeout_class: class,
            timed_out: LONG_TEXT,
            fails_before_a_run: true,
            release_needs_a_try: false,
            tells_the_job: true,
            has_wake_ups: false,
            has_pool: true,
            shape: Shape::think(version),
        }
    }
}

impl Rules {
    /// The rules of Hyperf's async-queue in this version.
    pub fn hyperf(version: (u32, u32, u32)) -> Self {
        Rules {
            tries_bind_despite_retry_until: true,
            reads_timeout_at: false,
            fails_on_timeout: false,
            reads_limits: true,
            fails_in_the_last_attempt: true,
            catches_no_errors: false,
            string_jobs_settle_themselves: false,
            timeout_leaves_reserved: false,
            max_attempts_class: "RuntimeException",
            attempted_too_often: " asked for another attempt after its last.",
            timeout_class: "RuntimeException",
            timed_out: " has timed out.",
            fails_before_a_run: false,
            release_needs_a_try: true,
            tells_the_job: version >= (3, 1, 0),
            has_wake_ups: false,
            has_pool: false,
            shape: Shape::hyperf(version),
        }
    }
}

impl Default for Rules {
    /// The newest version's.
    fn default() -> Self {
        Rules::laravel((13, 26))
    }
}
