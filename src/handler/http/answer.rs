//! What comes of a request: the table of answers, as outcomes.
//!
//! Owns the bounds: how much of an answer is read, how long `Retry-After` may ask to wait, how much of a body is
//! repeated in a reason. Never decides a retry. Counterpart in PHP: `Illuminate\Http\Client\Response`.
//!
//! | answer | outcome |
//! |---|---|
//! | 2xx | completed, unless its body is a JSON object with an `action` |
//! | `{"action":"release","delay":30}` | released for so many seconds; none without `delay` |
//! | `{"action":"fail","message":"..."}` | failed for good, with this message |
//! | `{"action":"delete"}` | deleted |
//! | 410 | failed for good |
//! | 429, 502, 503, 504 | released: for `Retry-After`, else for the job's back-off, else for 5 s |
//! | anything else, and no answer | threw |

use std::error::Error as _;
use std::fmt::Write;
use std::time::{Duration, UNIX_EPOCH};

use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Error, Response, StatusCode};
use serde_json::{Map, Value};

use super::endpoint::{Target, shown};
use crate::clock::Clock;
use crate::handler::Context;
use crate::job::{Exception, Outcome};

/// How much of an answer is read.
const MOST: usize = 1 << 20;
/// How much of an answer that refuses is read, and for how long: its status has said what counts.
const MOST_OF_A_REFUSAL: usize = 4096;
const A_REFUSALS_BODY: Duration = Duration::from_secs(1);
/// How many characters of a body are repeated.
const REPEATED: usize = 300;
/// The longest `Retry-After` that is honoured, in seconds: a day.
const LONGEST: u64 = 86_400;
/// The longest delay that an action may ask for, in seconds: a year. More is a moment taken for a delay.
const LONGEST_DELAY: f64 = 31_622_400.0;
/// How long an endpoint is left alone that is busy and does not say for how long.
const BUSY: Duration = Duration::from_secs(5);

/// The outcome of this request.
pub(super) async fn of(
    answer: impl Future<Output = Result<Response, Error>>,
    target: &Target,
    ctx: &Context,
    clock: &Clock,
) -> Outcome {
    let asked = format!("POST {}", target.shown);
    let mut response = match answer.await {
        Ok(response) => response,
        Err(error) if error.is_connect() => {
            return broken(format!("{asked}: cannot connect: {}", cause(&error)));
        }
        Err(error) => return broken(format!("{asked}: no answer: {}", cause(&error))),
    };
    let status = response.status();
    if status.is_success() {
        let header =
            |name| response.headers().get(name).map_or("", |value| value.to_str().unwrap_or_default());
        let json = header(CONTENT_TYPE).to_ascii_lowercase().contains("json");
        let encoding = header(CONTENT_ENCODING).to_ascii_lowercase();
        if !matches!(encoding.as_str(), "" | "identity") {
            return broken(format!(
                "{asked} answered {status} in the encoding [{encoding}], which it was not asked for"
            ));
        }
        return match read(&mut response, MOST).await {
            Ok(body) if body.len() > MOST => {
                broken(format!("{asked} answered {status} with more than {MOST} bytes"))
            }
            Ok(body) => match action(&body, json) {
                Ok(Some(action)) => settled(&action, &asked),
                Ok(None) => Outcome::Completed,
                Err(why) => Outcome::Threw(refused(format!(
                    "{asked} answered {status} with what looks like JSON and cannot be read, so that whether it asks \
                     for anything is not known: {why}: {}",
                    printable(&body)
                ))),
            },
            Err(error) => {
                broken(format!("{asked} answered {status}, but its answer broke off: {}", cause(&error)))
            }
        };
    }
    let mut reason = format!("{asked} answered {status}");
    if status.is_redirection() {
        let place = response.headers().get(LOCATION).map_or("nowhere".into(), |to| {
            printable(shown(&String::from_utf8_lossy(to.as_bytes())).as_bytes())
        });
        let _ = write!(reason, ", to [{place}]: redirects are not followed; give the route that URL");
    }
    let body = tokio::time::timeout(A_REFUSALS_BODY, read(&mut response, MOST_OF_A_REFUSAL)).await;
    let body = printable(&body.ok().and_then(Result::ok).unwrap_or_default());
    if !body.is_empty() {
        let _ = write!(reason, ": {body}");
    }
    match status {
        StatusCode::GONE => Outcome::Failed(refused(reason)),
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            let own = Some(ctx.backoff()).filter(|backoff| !backoff.is_zero());
            let delay = retry_after(response.headers(), clock.now()).or(own).unwrap_or(BUSY);
            let job = ctx.job();
            tracing::warn!(
                job = job.name(),
                uuid = job.payload.uuid(),
                attempts = job.attempts,
                "released for {} s: {reason}",
                delay.as_secs()
            );
            Outcome::Released(delay)
        }
        _ => Outcome::Threw(refused(reason)),
    }
}

/// Up to so many bytes of the body and a little more: more than `most` is too much.
async fn read(response: &mut Response, most: usize) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > most {
            break;
        }
    }
    Ok(body)
}

/// The object that settles the job, whatever content type it came under. What is an object by its first byte, or JSON by
/// its content type, has to be readable: it may be an action that was cut short.
fn action(body: &[u8], json: bool) -> Result<Option<Map<String, Value>>, serde_json::Error> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii();
    if body.is_empty() || !json && body.first() != Some(&b'{') {
        return Ok(None);
    }
    Ok(match serde_json::from_slice(body)? {
        Value::Object(answer) => Some(answer).filter(|answer| answer.contains_key("action")),
        _ => None,
    })
}

fn settled(answer: &Map<String, Value>, asked: &str) -> Outcome {
    let told = |name: &str| answer.get(name).filter(|value| !value.is_null());
    match answer["action"].as_str() {
        Some("delete") => Outcome::Deleted,
        Some("fail") => {
            let mut exception = Exception::manually_failed();
            exception.message = match told("message") {
                None => String::new(),
                Some(Value::String(message)) => printable(message.as_bytes()),
                Some(other) => printable(other.to_string().as_bytes()),
            };
            Outcome::Failed(exception)
        }
        Some("release") => match told("delay").map_or(Some(0.0), Value::as_f64) {
            // Whole seconds, as Laravel counts them.
            Some(delay) if (0.0..=LONGEST_DELAY).contains(&delay) => {
                Outcome::Released(Duration::from_secs(delay.ceil() as u64))
            }
            _ => {
                let delay = printable(answer["delay"].to_string().as_bytes());
                Outcome::Threw(refused(format!(
                    "{asked} answered the action release with the delay {delay}; it must be a number of seconds, a year at most"
                )))
            }
        },
        _ => {
            let action = printable(answer["action"].to_string().as_bytes());
            Outcome::Threw(refused(format!(
                "{asked} answered the action {action}; known are release, fail and delete"
            )))
        }
    }
}

/// What the header asks for: seconds, or a date in one of HTTP's three forms. `None` where it says nothing readable.
fn retry_after(headers: &HeaderMap, now: i64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().unwrap_or(LONGEST)
    } else {
        let at = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        at.as_secs().saturating_sub(now.max(0) as u64)
    };
    Some(Duration::from_secs(seconds.min(LONGEST)))
}

/// The start of a text, on one line, without what a terminal would obey.
fn printable(text: &[u8]) -> String {
    // Four bytes a character at most, and one more to see that there is more.
    let start = String::from_utf8_lossy(&text[..text.len().min(4 * REPEATED + 4)]);
    let clean: String = start.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    let words = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(REPEATED) {
        Some((end, _)) => format!("{}...", &words[..end]),
        None => words,
    }
}

/// The innermost cause: it names what happened, those around it that something did. Never the URL.
pub(super) fn cause(error: &Error) -> String {
    let mut innermost: &dyn std::error::Error = match error.source() {
        Some(source) => source,
        None if error.is_timeout() => return "it took too long".to_owned(),
        None => return "the request could not be made".to_owned(),
    };
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    printable(innermost.to_string().as_bytes())
}

fn broken(reason: String) -> Outcome {
    Outcome::Threw(Exception::new("Illuminate\\Http\\Client\\ConnectionException", reason))
}

fn refused(reason: String) -> Exception {
    Exception::new("Illuminate\\Http\\Client\\RequestException", reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fri, 13 Feb 2009 23:31:30 GMT
    const NOW: i64 = 1_234_567_890;

    #[test]
    fn retry_after_in_every_form() {
        for (text, seconds) in [
            ("30", Some(30)),
            (" 0 ", Some(0)),
            ("99999999", Some(LONGEST)),
            ("99999999999999999999999999", Some(LONGEST)),
            ("Fri, 13 Feb 2009 23:32:00 GMT", Some(30)),
            ("Friday, 13-Feb-09 23:32:00 GMT", Some(30)),
            ("Fri Feb 13 23:32:00 2009", Some(30)),
            ("Fri, 13 Feb 2009 23:31:00 GMT", Some(0)),
            ("Wed, 13 Feb 2109 23:31:00 GMT", Some(LONGEST)),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            assert_eq!(retry_after(&headers, NOW), seconds.map(Duration::from_secs), "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), NOW), None);
    }

    fn outcome(body: &str) -> Option<Outcome> {
        let action = action(body.as_bytes(), false).unwrap();
        action.map(|action| settled(&action, "POST https://a/b"))
    }

    #[test]
    fn an_action_settles_and_anything_else_is_only_an_answer() {
        let released = |seconds| Some(Outcome::Released(Duration::from_secs(seconds)));
        for (body, expected) in [
            (r#"{"action":"release","delay":30}"#, released(30)),
            (r#" {"action":"release"}"#, released(0)),
            (r#"{"action":"release","delay":null}"#, released(0)),
            (r#"{"action":"release","delay":0.2}"#, released(1)),
            (r#"{"action":"delete"}"#, Some(Outcome::Deleted)),
            (r#"{"ok":true}"#, None),
            (r#"["action"]"#, None),
            ("\u{feff}{\"action\":\"delete\"}", Some(Outcome::Deleted)),
            ("", None),
            ("ok", None),
        ] {
            assert_eq!(outcome(body), expected, "{body}");
        }
    }

    #[test]
    fn what_may_be_an_action_has_to_be_readable() {
        for body in [r#"{"action":"fail","message":"x""#, r#"{"action":"delete"} trailing"#, r#"{"a":1e999}"#]
        {
            assert!(action(body.as_bytes(), false).is_err(), "{body}");
        }
        assert!(action(b"{\"action\":\"fail\",\"message\":\"caf\xe9\"}", false).is_err());
        assert!(action(b"<br>Warning {\"action\":\"fail\"}", true).is_err());
        assert!(action(b"<br>fine", false).unwrap().is_none());
    }

    #[test]
    fn a_failure_has_its_message() {
        for (body, message) in [
            (r#"{"action":"fail","message":"no such user"}"#, "no such user"),
            (r#"{"action":"fail","message":"two\n\u001b[31mlines"}"#, "two [31mlines"),
            (r#"{"action":"fail","message":{"code":7}}"#, r#"{"code":7}"#),
            (r#"{"action":"fail"}"#, ""),
        ] {
            let Some(Outcome::Failed(exception)) = outcome(body) else { panic!("{body}") };
            assert_eq!(exception.message, message);
            assert_eq!(exception.class, "Illuminate\\Queue\\ManuallyFailedException");
        }
    }

    #[test]
    fn an_action_that_nobody_knows_threw() {
        for (body, told) in [
            (r#"{"action":"explode"}"#, r#"the action "explode"; known are release, fail and delete"#),
            (r#"{"action":null}"#, "the action null; known are"),
            (r#"{"action":"release","delay":"soon"}"#, r#"the delay "soon"; it must be a number of seconds"#),
            (r#"{"action":"release","delay":-1}"#, "the delay -1; it must be"),
            (r#"{"action":"release","delay":1800000000}"#, "a year at most"),
        ] {
            let Some(Outcome::Threw(exception)) = outcome(body) else { panic!("{body}") };
            assert!(exception.message.contains(told), "{}", exception.message);
        }
    }

    #[test]
    fn what_is_repeated_is_short_and_on_one_line() {
        assert_eq!(printable(b"a\r\n\tb\x1b[2J\xff"), "a b [2J\u{fffd}");
        let long = printable("ä".repeat(1000).as_bytes());
        assert_eq!(long.chars().count(), REPEATED + 3);
    }
}
