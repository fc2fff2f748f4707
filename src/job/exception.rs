//! A failure as PHP would describe it: class, message, place, and what caused it.
//!
//! Owns the text that lands in `failed_jobs.exception`. Counterpart in PHP: `Throwable` and its string form.

use std::fmt;
use std::panic::Location;

use super::Interrupted;

/// Why an attempt failed. Any Rust error becomes one by `?`, which is then PHP's `throw`:
/// the place is the line of the `?`.
#[derive(Clone, PartialEq)]
pub struct Exception {
    /// The class as PHP code would name it, e.g. `RuntimeException`.
    pub class: String,
    /// The message; may be empty.
    pub message: String,
    /// The file it was raised in.
    pub file: String,
    /// The line it was raised on.
    pub line: u32,
    /// What caused it, if anything.
    pub previous: Option<Box<Exception>>,
    /// It only says that the attempt was to end.
    pub(crate) interrupted: Option<Interrupted>,
}

impl Exception {
    /// An exception of this class and message, raised where this is called.
    #[track_caller]
    pub fn new(class: impl Into<String>, message: impl Into<String>) -> Self {
        Self::at(class, message, Location::caller())
    }

    /// What `$this->fail()` without an argument records.
    #[track_caller]
    pub fn manually_failed() -> Self {
        Self::at("Illuminate\\Queue\\ManuallyFailedException", "", Location::caller())
    }

    /// A `RuntimeException` with this message, raised where this is called: for `return Err(Exception::msg("..."))`.
    #[track_caller]
    pub fn msg(message: impl Into<String>) -> Self {
        Self::at("RuntimeException", message, Location::caller())
    }

    fn at(class: impl Into<String>, message: impl Into<String>, place: &Location<'_>) -> Self {
        Exception {
            class: class.into(),
            message: message.into(),
            file: place.file().to_owned(),
            line: place.line(),
            previous: None,
            interrupted: None,
        }
    }
}

impl<E: std::error::Error + 'static> From<E> for Exception {
    #[track_caller]
    fn from(error: E) -> Self {
        let place = Location::caller();
        let mut previous = None;
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        for cause in causes.into_iter().rev() {
            let mut exception = Exception::at("RuntimeException", cause, place);
            exception.previous = previous.map(Box::new);
            previous = Some(exception);
        }
        let mut exception = Exception::at("RuntimeException", error.to_string(), place);
        exception.previous = previous.map(Box::new);
        exception.interrupted = (&error as &(dyn std::error::Error + 'static)).downcast_ref().copied();
        exception
    }
}

/// PHP's string form of a throwable: innermost first, each with its `Stack trace:` block, no newline at the end.
impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chain = vec![self];
        while let Some(previous) = &chain[chain.len() - 1].previous {
            chain.push(previous);
        }
        for (i, exception) in chain.iter().rev().enumerate() {
            if i > 0 {
                f.write_str("\n\nNext ")?;
            }
            f.write_str(&exception.class)?;
            if !exception.message.is_empty() {
                write!(f, ": {}", exception.message)?;
            }
            write!(f, " in {}:{}\nStack trace:\n#0 {{main}}", exception.file, exception.line)?;
        }
        Ok(())
    }
}

/// Shown when `main` returns it: the messages from the outside in, on one line.
impl fmt::Debug for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.message.is_empty() { &self.class } else { &self.message })?;
        match &self.previous {
            Some(previous) => write!(f, ": {previous:?}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_the_shape_of_phps_string_form() {
        let exception = Exception { file: "src/mail.rs".into(), line: 7, ..Exception::msg("boom") };
        assert_eq!(exception.to_string(), "RuntimeException: boom in src/mail.rs:7\nStack trace:\n#0 {main}");
    }

    #[test]
    fn a_manual_failure_has_no_message_and_no_colon() {
        let text = Exception::manually_failed().to_string();
        assert!(text.starts_with("Illuminate\\Queue\\ManuallyFailedException in "), "{text}");
    }

    #[test]
    fn the_cause_comes_first_as_in_php() {
        let mut outer = Exception { file: "a.rs".into(), line: 1, ..Exception::msg("outer") };
        outer.previous =
            Some(Box::new(Exception { file: "b.rs".into(), line: 2, ..Exception::msg("inner") }));
        assert_eq!(
            outer.to_string(),
            "RuntimeException: inner in b.rs:2\nStack trace:\n#0 {main}\n\n\
             Next RuntimeException: outer in a.rs:1\nStack trace:\n#0 {main}"
        );
    }

    #[test]
    fn a_question_mark_is_a_throw_with_its_own_line() {
        fn handler() -> Result<(), Exception> {
            "x".parse::<i32>()?;
            Ok(())
        }
        let exception = handler().unwrap_err();
        assert_eq!(exception.message, "invalid digit found in string");
        assert_eq!(exception.file, file!());
        assert_eq!(exception.line, line!() - 6);
    }
}
