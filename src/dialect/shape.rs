//! What a payload looks like in each version of the framework: which fields it has, and how its JSON is written.
//!
//! Data alone: who fills the fields in is the producer. Counterpart in PHP: `Illuminate\Queue\Queue::createPayload` and
//! `Illuminate\Queue\RedisQueue::createPayloadArray` of each version.

/// The payload of one framework version. Those of its fields that the version has stand in this order: `uuid`,
/// `displayName`, `job`, `maxTries`, `maxExceptions`, `failOnTimeout`, the back-off, `timeout`, the last moment,
/// `deleteWhenMissingModels`, `data`, `createdAt`, `id`, `attempts`, `delay`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// The version, for messages.
    pub version: (u32, u32),
    /// The framework, for messages.
    pub framework: &'static str,
    /// Jobs travel in JSON (not in Hyperf), and can be pushed from here.
    pub is_json: bool,
    /// What `job` says of an object.
    pub object_job: &'static str,
    /// `displayName` (not in think-queue).
    pub display_name: bool,
    /// `maxTries`, `timeout` and the last moment (not in think-queue 1 and 2).
    pub limits: bool,
    /// A job may carry those that follow it (not in think-queue).
    pub chains: bool,
    /// `attempts` of a job that has never run.
    pub first_attempts: i64,
    /// `uuid` (from 7.0).
    pub uuid: bool,
    /// `maxExceptions` (from 7.0).
    pub max_exceptions: bool,
    /// `failOnTimeout` (from 8.43).
    pub fail_on_timeout: bool,
    /// The back-off after an exception: none before 5.8; one number, `delay`, up to 7; then a text, `backoff`.
    pub backoff: Backoff,
    /// `retryUntil`, or `timeoutAt` before 8.0.
    pub retry_until: &'static str,
    /// `deleteWhenMissingModels` (from 13.0).
    pub delete_when_missing_models: bool,
    /// `data.batchId` (from 12.51).
    pub batch_id: bool,
    /// `createdAt`, and `delay` at the end (from 12.11).
    pub created_at: bool,
    /// Text beyond ASCII stands as UTF-8 (from 8.82), all but U+2028 and U+2029; before, as `\uXXXX`.
    pub unescaped_unicode: bool,
    /// How a payload is refused that JSON cannot hold.
    pub refusal: Refusal,
}

/// How a version writes the back-off of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backoff {
    /// It has none.
    None,
    /// `delay`, a number; the job's property is `retryAfter`.
    Delay,
    /// `backoff`, seconds with commas between them.
    List,
}

/// How a version words the refusal of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// By JSON's error code.
    Code,
    /// By code and text (from 10.0).
    Text,
    /// The job and its queue as well (from 13.0).
    Named,
}

impl Shape {
    /// Laravel's payload in this version, `(major, minor)`.
    pub fn laravel(version: (u32, u32)) -> Self {
        Shape {
            version,
            framework: "Laravel",
            is_json: true,
            object_job: "Illuminate\\Queue\\CallQueuedHandler@call",
            display_name: true,
            limits: true,
            chains: true,
            first_attempts: 0,
            uuid: version >= (7, 0),
            max_exceptions: version >= (7, 0),
            fail_on_timeout: version >= (8, 43),
            backoff: match version {
                (..8, _) if version < (5, 8) => Backoff::None,
                (..8, _) => Backoff::Delay,
                _ => Backoff::List,
            },
            retry_until: if version >= (8, 0) { "retryUntil" } else { "timeoutAt" },
            delete_when_missing_models: version >= (13, 0),
            batch_id: version >= (12, 51),
            created_at: version >= (12, 11),
            unescaped_unicode: version >= (8, 82),
            refusal: match version.0 {
                ..10 => Refusal::Code,
                10..13 => Refusal::Text,
                13.. => Refusal::Named,
            },
        }
    }

    /// think-queue's payload in this version.
    pub fn think(version: (u32, u32, u32)) -> Self {
        let since_3 = version >= (3, 0, 0);
        Shape {
            version: (version.0, version.1),
            framework: "think-queue",
            object_job: "think\\queue\\CallQueuedHandler@call",
            display_name: false,
            limits: since_3,
            chains: false,
            first_attempts: i64::from(!since_3),
            uuid: false,
            retry_until: "timeoutAt",
            ..Shape::laravel((5, 7))
        }
    }

    /// Hyperf's: none that a producer could fill in, for its messages are PHP's own serialized objects.
    pub fn hyperf(version: (u32, u32, u32)) -> Self {
        Shape {
            version: (version.0, version.1),
            framework: "Hyperf's async-queue",
            is_json: false,
            ..Shape::laravel((5, 5))
        }
    }

    /// What this version says of a payload that is not UTF-8: JSON's error 5.
    pub fn refuse(&self, job: &str, queue: &str) -> String {
        let text = "Malformed UTF-8 characters, possibly incorrectly encoded";
        match self.refusal {
            Refusal::Code => "Unable to JSON encode payload. Error code: 5".to_owned(),
            Refusal::Text => format!("Unable to JSON encode payload. Error (5): {text}"),
            Refusal::Named => format!(
                "Unable to JSON encode payload for job [{job}] on queue [queues:{queue}]. Error (5): {text}"
            ),
        }
    }
}
