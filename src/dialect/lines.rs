//! What a framework's worker prints of its jobs, as data: one line for each thing that happens to one.
//!
//! Never prints. Counterpart in PHP: `writeOutput` of `Illuminate\Queue\Console\WorkCommand` and
//! `think\queue\command\Work`, and `Hyperf\AsyncQueue\Listener\QueueHandleListener`.

use Part::{Date, Exception, Id, Job, ObjectOrCall, Text};

/// How job lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lines {
    /// As artisan's: dots between a job's name and its end fill the terminal.
    #[default]
    Artisan,
    /// Each by its own words.
    Worded(&'static Wording),
}

/// The line of each thing that happens; of what has none, nothing is printed.
#[derive(Debug, PartialEq, Eq)]
pub struct Wording {
    /// An attempt begins.
    pub processing: Option<Line>,
    /// It ended without an exception.
    pub processed: Option<Line>,
    /// It threw, and the job runs again.
    pub released: Option<Line>,
    /// The job failed for good.
    pub failed: Option<Line>,
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// What is painted on a terminal, at its beginning.
    pub painted: &'static [Part],
    /// The colours of that, in the codes of a terminal.
    pub colours: &'static str,
    /// The rest.
    pub plain: &'static [Part],
}

/// A piece of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// This text.
    Text(&'static str),
    /// Now, as `Y-m-d H:i:s` in the app's timezone.
    Date,
    /// The payload's id.
    Id,
    /// The job's name.
    Job,
    /// The class of an object, or of a call `Job[Class@method]`.
    ObjectOrCall,
    /// What was thrown, as PHP makes a text of it.
    Exception,
}

const YELLOW: &str = "33";
const GREEN: &str = "32";
const WHITE_ON_RED: &str = "37;41";

/// think-queue 3: a status is 11 columns wide; of a job that runs again nothing more is said.
pub(super) const THINK: Wording = Wording {
    processing: think(&[Text("["), Date, Text("]["), Id, Text("] Processing:")], YELLOW),
    processed: think(&[Text("["), Date, Text("]["), Id, Text("] Processed: ")], GREEN),
    released: None,
    failed: think(&[Text("["), Date, Text("]["), Id, Text("] Failed:    ")], WHITE_ON_RED),
};

/// think-queue 1 and 2: a line once a job is over.
pub(super) const THINK_OLD: Wording = Wording {
    processing: None,
    processed: think(&[Text("Processed:")], GREEN),
    released: None,
    failed: think(&[Text("Failed:")], WHITE_ON_RED),
};

/// async-queue, of whose lines a logger makes what it likes.
pub(super) const HYPERF: Wording = Wording {
    processing: hyperf(&[Text("["), Date, Text("] Processing "), ObjectOrCall, Text(".")]),
    processed: hyperf(&[Text("["), Date, Text("] Processed "), ObjectOrCall, Text(".")]),
    released: hyperf(&[Text("["), Date, Text("] Retried "), ObjectOrCall, Text(".")]),
    failed: hyperf(&[Text("["), Date, Text("] Failed "), ObjectOrCall, Text(".\n"), Exception]),
};

const fn hyperf(plain: &'static [Part]) -> Option<Line> {
    Some(Line { painted: &[], colours: "", plain })
}

const fn think(painted: &'static [Part], colours: &'static str) -> Option<Line> {
    Some(Line { painted, colours, plain: &[Text(" "), Job] })
}
