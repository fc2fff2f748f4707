//! Why a job was not pushed: what the producer was given that no worker could run as it is meant, or the queue.
//!
//! Every message names the value and the way out. Counterpart in PHP: `Illuminate\Queue\InvalidPayloadException`.

use crate::{php, queue};

/// Why a job was not pushed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The command is no object with properties.
    #[error(
        "expected an object of a job class, found {found}: make one with php::object(\"App\\\\Jobs\\\\...\").of(...), or push a string job with Dispatch::named"
    )]
    NoObject {
        /// What it is.
        found: String,
    },
    /// A property could not be set.
    #[error(transparent)]
    Property(#[from] php::Error),
    /// A chain goes on with a job that cannot be part of one.
    #[error("[{job}] cannot be part of a chain: {why}")]
    Chain {
        /// The job.
        job: String,
        /// Why, and the way out.
        why: &'static str,
    },
    /// The job names another connection than the producer's.
    #[error(
        "the job is for the connection [{wanted}], and this producer pushes to [{connection}]: push it with a producer of that connection, or drop on_connection"
    )]
    OtherConnection {
        /// The connection it names.
        wanted: String,
        /// The producer's.
        connection: String,
    },
    /// The app's version has no such setting in its payloads.
    #[error("{setting} [{given}] means nothing to {framework} {}.{}: {way_out}", version.0, version.1)]
    Unknown {
        /// The setting.
        setting: &'static str,
        /// What was given.
        given: String,
        /// The app's framework.
        framework: &'static str,
        /// Its version.
        version: (u32, u32),
        /// What to do.
        way_out: &'static str,
    },
    /// The framework's jobs are no JSON, and are not written from here.
    #[error(
        "jobs of {framework} are PHP's own serialized messages, which Handover reads and does not write: push the job from the app itself, as with $driver->push(new Job())"
    )]
    NotJson {
        /// The app's framework.
        framework: &'static str,
    },
    /// The command's `delay` is of a kind that Handover cannot reckon with.
    #[error("the property \"delay\" is {found}: give seconds or a date, or use Dispatch::delay")]
    Delay {
        /// What it is.
        found: String,
    },
    /// A text in the command is not UTF-8, which JSON cannot hold. The words are those of the app's version.
    #[error(
        "{refusal}. A property of [{job}] holds bytes that are not UTF-8: put them there in base64, and decode them in the job"
    )]
    NotUtf8 {
        /// What PHP would say.
        refusal: String,
        /// The job.
        job: String,
    },
    /// The queue did not take it. Whether this call had an effect says
    /// [`may_have_happened`](queue::Error::may_have_happened) of the source.
    #[error("{source}{}", after(*.pushed))]
    Queue {
        /// Jobs of the same bulk that were pushed before.
        pushed: usize,
        /// What went wrong.
        source: queue::Error,
    },
}

fn after(pushed: usize) -> String {
    match pushed {
        0 => String::new(),
        pushed => format!(" ({pushed} jobs of the bulk were pushed before)"),
    }
}
