//! What shall go wrong, and what has passed so far. Decides about one command at a time; never touches a socket.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// Which commands a fault is about.
#[derive(Debug, Clone)]
pub struct When {
    names: Vec<&'static str>,
    marker: Vec<u8>,
    skip: usize,
}

impl When {
    /// Commands of this name.
    pub fn command(name: &'static str) -> When {
        When { names: vec![name], marker: Vec::new(), skip: 0 }
    }

    /// Calls of scripts which carry this marker in their text, their keys or their arguments.
    pub fn script(marker: &str) -> When {
        When { names: vec!["EVAL", "EVALSHA"], marker: marker.as_bytes().to_vec(), skip: 0 }
    }

    /// Only the nth such command from now on, counted from 1.
    pub fn nth(mut self, n: usize) -> When {
        self.skip = n - 1;
        self
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
        let texts: Vec<&[u8]> = words.iter().chain(body).map(Vec::as_slice).collect();
        let mut due = None;
        for (at, (when, _)) in self.faults.iter_mut().enumerate() {
            if !when.names.contains(&name.as_str()) || !texts.iter().any(|text| contains(text, &when.marker))
            {
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
