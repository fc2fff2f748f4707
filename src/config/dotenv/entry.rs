//! The grammar of `.env`: lines, names, and values with their quotes, escapes and comments.
//!
//! Never looks a variable up. Its errors repeat no value. Counterpart in PHP: `Dotenv\Parser\Lines`, `EntryParser` and
//! `Lexer`.

/// What PHP counts as white space in a pattern.
const SPACE: [char; 6] = [' ', '\t', '\n', '\u{b}', '\u{c}', '\r'];
/// What PHP's `trim` takes away.
const TRIMMED: [char; 6] = [' ', '\t', '\n', '\r', '\0', '\u{b}'];

/// Lines, those in double quotes joined, without comments; each with the number of its first.
pub(super) fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let (mut lines, mut open) = (Vec::new(), None::<(usize, Vec<String>)>);
    for (index, line) in text.replace("\r\n", "\n").replace('\r', "\n").split('\n').enumerate() {
        let started = line.contains("=\"") && !stops(line, true);
        let (number, line) = if open.is_some() || started {
            let (number, mut buffer) = open.take().unwrap_or((index + 1, Vec::new()));
            buffer.push(line.to_owned());
            if !stops(line, started) {
                open = Some((number, buffer));
                continue;
            }
            (number, buffer.join("\n"))
        } else {
            (index + 1, line.to_owned())
        };
        let trimmed = line.trim_matches(TRIMMED);
        if !trimmed.is_empty() && !trimmed.starts_with('#') {
            lines.push((number, line));
        }
    }
    lines
}

/// A double quote behind something that is no backslash: two of them where the value began in this line, else one.
fn stops(line: &str, started: bool) -> bool {
    let plain = line.replace("\\\\", "");
    let quotes = plain.as_bytes().windows(2).filter(|pair| pair[0] != b'\\' && pair[1] == b'"').count();
    line == "\"" || if started { quotes > 1 } else { quotes >= 1 }
}

pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte))
}

/// One variable of the file.
pub(super) struct Entry {
    pub(super) name: String,
    /// Nothing where there is no equals sign: the variable is forgotten.
    pub(super) value: Option<Value>,
}

/// A value without its quotes.
#[derive(Default)]
pub(super) struct Value {
    pub(super) text: String,
    /// Where a dollar sign may begin a variable.
    pub(super) variables: Vec<usize>,
}

impl Entry {
    pub(super) fn parse(line: &str) -> Result<Self, &'static str> {
        let (name, value) = match line.split_once('=') {
            Some((name, value)) => (name.trim_matches(TRIMMED), Some(value.trim_matches(TRIMMED))),
            None => (line, None),
        };
        if name.is_empty() {
            return Err("an unexpected equals");
        }
        let exported = name.strip_prefix("export").filter(|rest| rest.starts_with(SPACE));
        let exported = exported.filter(|_| name.chars().count() > 8);
        let name = exported.map_or(name, |rest| rest.trim_start_matches(TRIMMED));
        let quoted = ['"', '\''].iter().find_map(|quote| name.strip_prefix(*quote)?.strip_suffix(*quote));
        let name = quoted.filter(|inner| !inner.is_empty()).unwrap_or(name);
        if !is_name(name) {
            return Err("an invalid name");
        }
        Ok(Entry { name: name.to_owned(), value: value.map(Value::parse).transpose()? })
    }
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Initial,
    Unquoted,
    Single,
    Double,
    Escape,
    Space,
    Comment,
}

impl Value {
    fn parse(value: &str) -> Result<Self, &'static str> {
        let (mut parsed, mut state) = (Value::default(), State::Initial);
        for token in tokens(value) {
            state = parsed.take(state, token)?;
        }
        match state {
            State::Single | State::Double | State::Escape => Err("a missing closing quote"),
            _ => Ok(parsed),
        }
    }

    fn take(&mut self, state: State, token: &str) -> Result<State, &'static str> {
        Ok(match (state, token) {
            (State::Initial, "'") => State::Single,
            (State::Initial, "\"") => State::Double,
            (State::Single, "'") | (State::Double, "\"") => State::Space,
            (State::Initial | State::Unquoted | State::Space, "#") => State::Comment,
            (State::Comment, _) => State::Comment,
            (State::Space, token) if is_space(token) => State::Space,
            (State::Space, _) => return Err("unexpected whitespace"),
            (State::Unquoted, token) if is_space(token) => State::Space,
            (State::Double, "\\") => State::Escape,
            (State::Escape, "\"" | "\\" | "$") => self.add(token, State::Double),
            (State::Escape, token) => {
                let plain = match token.as_bytes()[0] {
                    b'f' => '\u{c}',
                    b'n' => '\n',
                    b'r' => '\r',
                    b't' => '\t',
                    b'v' => '\u{b}',
                    _ => return Err("an unexpected escape sequence"),
                };
                self.text.push(plain);
                self.add(&token[1..], State::Double)
            }
            (State::Single, token) => self.add(token, State::Single),
            (state, token) => {
                if token == "$" {
                    self.variables.push(self.text.len());
                }
                self.add(token, if state == State::Double { State::Double } else { State::Unquoted })
            }
        })
    }

    fn add(&mut self, text: &str, next: State) -> State {
        self.text.push_str(text);
        next
    }
}

fn is_space(token: &str) -> bool {
    token.starts_with(SPACE)
}

/// Runs of line ends, of other white space, of plain text; and each special character by itself.
fn tokens(value: &str) -> impl Iterator<Item = &str> {
    let kind = |c: char| match c {
        '\r' | '\n' => 0,
        c if SPACE.contains(&c) => 1,
        '\\' | '\'' | '"' | '#' | '$' => 2,
        _ => 3,
    };
    let mut rest = value;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = match kind(first) {
            2 => 1,
            of => rest.find(|c| kind(c) != of).unwrap_or(rest.len()),
        };
        let (token, after) = rest.split_at(end);
        rest = after;
        Some(token)
    })
}
