//! What is sent: the job as `{type, timestamp, data}`, and the headers of Standard Webhooks 1.0.0.
//!
//! Never sends. Counterpart in PHP: the payload that `Illuminate\Queue\Queue::createPayload` makes, in plain JSON.
//!
//! | in `data` | what it is |
//! |---|---|
//! | `uuid`, `connection`, `queue` | the payload's uuid (null before Laravel 7), the connection's and the queue's name |
//! | `attempts`, `maxTries` | the number of this attempt, 1 for the first; how many there are, 0 for no limit |
//! | `command` | of an object job: the command as [`Value::to_json`](crate::php::Value::to_json) shows it |
//! | `job`, `data` | of a string job: `Class@method`, and what it was pushed with; of a method that a message of Hyperf calls, its arguments in a list |
//! | `meta` | the payload's fields that Laravel itself does not write |

use chrono::{DateTime, SecondsFormat};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Request};
use serde::Serialize;
use serde::ser::SerializeMap;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::endpoint::Target;
use super::signature;
use crate::handler::Context;
use crate::job::{Command, Exception, Job, Payload};

/// The request of this attempt, made at this Unix second.
///
/// # Errors
/// Where the command cannot be decoded: another attempt would meet the same bytes.
pub(super) fn of(client: &Client, target: &Target, ctx: &Context, now: i64) -> Result<Request, Exception> {
    let body = body(ctx.job(), ctx.max_tries(), now)?;
    let id = id(&ctx.job().payload);
    let mut request = client
        .post(target.url.clone())
        .headers(target.headers.clone())
        .build()
        .map_err(|error| Exception::msg(format!("POST {}: {error}", target.shown)))?;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut insert = |name: &'static str, value: &str| {
        let value = HeaderValue::try_from(value).map_err(Exception::from)?;
        headers.insert(name, value);
        Ok::<_, Exception>(())
    };
    insert("webhook-id", &id)?;
    insert("webhook-timestamp", &now.to_string())?;
    headers.remove("webhook-signature");
    if !target.keys.is_empty() {
        let value = signature::header(&target.keys, &id, now, &body);
        headers.insert("webhook-signature", HeaderValue::try_from(value).map_err(Exception::from)?);
    }
    *request.body_mut() = Some(body.into());
    Ok(request)
}

#[derive(Serialize)]
struct Body<'a> {
    r#type: &'a str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    uuid: Option<String>,
    connection: &'a str,
    queue: &'a str,
    attempts: i64,
    max_tries: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    meta: Meta<'a>,
}

/// The unknown fields; of a name that occurs twice the last one counts, as in PHP.
struct Meta<'a>(&'a Payload);

impl Serialize for Meta<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let mut seen = std::collections::HashSet::new();
        for (name, _) in self.0.meta() {
            if seen.insert(name) {
                map.serialize_entry(name, &self.0.field(name))?;
            }
        }
        map.end()
    }
}

fn body(job: &Job, max_tries: i64, now: i64) -> Result<Vec<u8>, Exception> {
    let payload = &job.payload;
    let command = match payload.command() {
        None => None,
        Some(command) => {
            let json = command.value().and_then(crate::php::Value::to_json);
            Some(json.map_err(|error| {
                let message =
                    format!("{} cannot be sent: its command is not to be read: {error}", job.name());
                Exception::new("UnexpectedValueException", message)
            })?)
        }
    };
    let is_string_job = command.is_none();
    let body = Body {
        r#type: kind(payload),
        timestamp: DateTime::from_timestamp(now, 0)
            .unwrap_or_default()
            .to_rfc3339_opts(SecondsFormat::Secs, true),
        data: Data {
            uuid: payload.uuid(),
            connection: &job.connection,
            queue: &job.queue,
            attempts: job.attempts,
            max_tries,
            command,
            job: payload.job().filter(|_| is_string_job),
            data: payload.data().filter(|_| is_string_job),
            meta: Meta(payload),
        },
    };
    serde_json::to_vec(&body).map_err(Exception::from)
}

/// The class of the job; of a method that a message calls, that too; of a listener, mailable or notification, which travel in a wrapper of the framework, its own.
fn kind(payload: &Payload) -> &str {
    if payload.arguments().is_some() {
        return payload.name();
    }
    let class = payload.class().unwrap_or_default();
    let wrapped = class.is_empty() || class.starts_with("Illuminate\\");
    if wrapped && !payload.name().is_empty() { payload.name() } else { class }
}

/// The `webhook-id`, the same over all attempts: the uuid, else the id of older payloads, else made of what the payload
/// says of the job.
fn id(payload: &Payload) -> String {
    let named = payload.uuid().into_iter().chain(payload.id()).find(|id| !id.is_empty());
    let made = |bytes: &[u8]| Uuid::new_v5(&Uuid::NAMESPACE_OID, bytes).to_string();
    match named {
        // A dot would make the signed text ambiguous.
        Some(id) if id.len() <= 256 && id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'.') => id,
        Some(id) => made(id.as_bytes()),
        None => {
            let data = payload.data().map_or("", |data| data.get()).as_bytes();
            // The data of JSON holds its command; a message of Hyperf has a command alone.
            let command = payload.command().filter(|_| data.is_empty()).map_or(&b""[..], Command::serialized);
            made(&[payload.job().unwrap_or_default().as_bytes(), b" ", data, command].concat())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn job(payload: &Value) -> Job {
        let payload = Payload::parse(payload.to_string()).unwrap();
        Job { connection: "redis".into(), queue: "high".into(), attempts: 2, payload }
    }

    fn sent(payload: &Value) -> Value {
        serde_json::from_slice(&body(&job(payload), 3, 1_600_000_000).unwrap()).unwrap()
    }

    #[test]
    fn an_object_job_is_its_command_and_the_facts() {
        let sent = sent(
            &json!({"uuid": "u-1", "displayName": "Monthly report", "attempts": 1, "telescope_uuid": "t",
            "job": "Illuminate\\Queue\\CallQueuedHandler@call", "data": {"commandName": "App\\Jobs\\Report",
            "command": "O:15:\"App\\Jobs\\Report\":1:{s:5:\"month\";i:7;}"}}),
        );
        assert_eq!(
            sent,
            json!({"type": "App\\Jobs\\Report", "timestamp": "2020-09-13T12:26:40Z", "data": {
                "uuid": "u-1", "connection": "redis", "queue": "high", "attempts": 2, "maxTries": 3,
                "command": {"$class": "App\\Jobs\\Report", "month": 7}, "meta": {"telescope_uuid": "t"}}})
        );
    }

    #[test]
    fn a_string_job_is_its_method_and_its_data() {
        let sent =
            sent(&json!({"job": "App\\Legacy@again", "displayName": "App\\Legacy", "data": {"n": 1.10}}));
        assert_eq!(sent["type"], "App\\Legacy");
        assert_eq!(sent["data"]["job"], "App\\Legacy@again");
        assert_eq!(sent["data"]["data"], json!({"n": 1.10}));
        assert!(sent["data"].get("command").is_none() && sent["data"]["uuid"].is_null());
    }

    #[test]
    fn what_travels_in_a_wrapper_shows_its_own_class() {
        let wrapped = json!({"displayName": "App\\Mail\\Welcome", "data": {"commandName":
            "Illuminate\\Mail\\SendQueuedMailable", "command": "O:1:\"A\":0:{}"}});
        assert_eq!(sent(&wrapped)["type"], "App\\Mail\\Welcome");
    }

    #[test]
    fn a_command_that_cannot_be_read_is_not_sent() {
        let broken =
            json!({"displayName": "App\\A", "data": {"commandName": "App\\A", "command": "O:9:\"App"}});
        let error = body(&job(&broken), 1, 0).unwrap_err();
        assert!(
            error.message.starts_with("App\\A cannot be sent: its command is not to be read: "),
            "{error}"
        );
    }

    #[test]
    fn the_id_stays_over_attempts_and_can_be_signed() {
        let id = |payload: Value| super::id(&Payload::parse(payload.to_string()).unwrap());
        assert_eq!(id(json!({"uuid": "a-b", "id": "x"})), "a-b");
        assert_eq!(id(json!({"id": "x"})), "x");
        let bare = |attempts| id(json!({"job": "A@b", "data": [1], "attempts": attempts}));
        assert_eq!(bare(0), bare(1));
        for odd in ["a.b", "a\nb", "ä"] {
            assert_eq!(id(json!({"uuid": odd})).len(), 36, "{odd}");
        }
    }
}
