//! What shall go wrong, and what has passed so far. Decides about one command at a time; never touches a socket.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Which commands a fault is about.
#[derive(Debug, Clone)]
pub struct When {
    names: Vec<&'static str>,
    about: About,
    skip: usize,
}

/// What such a command carries.
#[derive(Debug, Clone)]
enum About {
    Anything,
    /// These bytes, somewhere in a word or in the script's text.
    Marker(Vec<u8>),
    /// This very word.
    Word(Vec<u8>),
}

impl When {
    /// Commands of this name.
    pub fn command(name: &'static str) -> When {
        When { names: vec![name], about: About::Anything, skip: 0 }
    }

    /// Calls of scripts which carry this marker in their text, their keys or their arguments.
    pub fn script(marker: &str) -> When {
        When::scripts(About::Marker(marker.as_bytes().to_vec()))
    }

    /// Calls of scripts with this very word among their keys and arguments.
    pub fn word(word: &str) -> When {
        When::scripts(About::Word(word.as_bytes().to_vec()))
    }

    fn scripts(about: About) -> When {
        When { names: vec!["EVAL", "EVALSHA"], about, skip: 0 }
    }

    /// Only the nth such command from now on, counted from 1.
    pub fn nth(mut self, n: usize) -> When {
        self.skip = n - 1;
        self
    }

    /// Whether this command is such a one; `body` is the text of the script it calls by digest.
    fn is(&self, name: &str, words: &[Vec<u8>], body: Option<&Vec<u8>>) -> bool {
        let about = match &self.about {
            About::Anything => true,
            About::Marker(marker) => words.iter().chain(body).any(|text| contains(text, marker)),
            About::Word(word) => words[1..].contains(word),
        };
        about && self.names.contains(&name)
    }
}

/// What happens to the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends before the server sees it.
    CutBefore,
    /// The server carries it out; its answer is swallowed and the connection ends.
    CutAfter,
    /// It reaches the server that much later.
    Delay(Duration),
    /// Only the first half of its bytes reaches the server, then the connection ends.
    TruncateCommand,
    /// The server carries it out; the first half of its answer's bytes reaches the client, then the connection ends.
    TruncateAnswer,
    /// It never reaches the server, nor does anything after it on this connection; nothing is closed.
    HalfOpenBefore,
    /// The server carries it out; neither its answer nor anything after that on this connection reaches the client;
    /// nothing is closed.
    HalfOpenAfter,
    /// As [`HalfOpenBefore`](Fault::HalfOpenBefore), but what is held can be delivered later, whether or not the client
    /// still waits.
    Late,
}

impl Fault {
    /// True for one that lets the command through.
    pub fn is_about_the_answer(self) -> bool {
        matches!(self, Fault::CutAfter | Fault::TruncateAnswer | Fault::HalfOpenAfter)
    }
}

/// Everything the proxy knows.
#[derive(Default)]
pub struct Plan {
    /// New connections are closed at once.
    pub refusing: bool,
    /// The proxy is gone.
    pub closed: bool,
    pub counts: BTreeMap<String, usize>,
    pub fired: usize,
    faults: Vec<(When, Fault)>,
    scripts: HashMap<Vec<u8>, Vec<u8>>,
    called: HashMap<Vec<u8>, usize>,
}

impl Plan {
    /// Arms a fault; each fires once.
    pub fn arm(&mut self, when: When, fault: Fault) {
        self.faults.push((when, fault));
    }

    /// Counts a command and takes the fault that is due for it.
    pub fn meet(&mut self, words: &[Vec<u8>]) -> Option<(When, Fault)> {
        let name = String::from_utf8_lossy(words.first()?).to_uppercase();
        let body = words.get(1).and_then(|sha| self.scripts.get(sha));
        let mut due = None;
        for (at, (when, _)) in self.faults.iter_mut().enumerate() {
            if !when.is(&name, words, body) {
                continue;
            }
            if when.skip > 0 {
                when.skip -= 1;
            } else if due.is_none() {
                due = Some(at);
            }
        }
        if matches!(name.as_str(), "EVAL" | "EVALSHA") {
            let text = body.or(words.get(1)).cloned().unwrap_or_default();
            *self.called.entry(text).or_default() += 1;
        }
        *self.counts.entry(name).or_default() += 1;
        due.map(|at| self.faults.remove(at))
    }

    /// How many calls had this marker in the script's text.
    pub fn calls(&self, marker: &str) -> usize {
        let matching = self.called.iter().filter(|(text, _)| contains(text, marker.as_bytes()));
        matching.map(|(_, calls)| calls).sum()
    }

    /// Remembers the text behind a digest, learnt from an answer to SCRIPT LOAD.
    pub fn learn(&mut self, words: &[Vec<u8>], answer: &[u8]) {
        let load = words.len() == 3
            && words[0].eq_ignore_ascii_case(b"SCRIPT")
            && words[1].eq_ignore_ascii_case(b"LOAD");
        if let (true, Some(digest)) = (load, answer.strip_prefix(b"$40\r\n")) {
            self.scripts.insert(digest.trim_ascii_end().to_vec(), words[2].clone());
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}
