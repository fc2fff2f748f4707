//! `--json`: one object per job event, keys in Laravel's order.
//!
//! Formats only. Counterpart in PHP: `Illuminate\Queue\Console\WorkCommand::writeOutputAsJson`.

use std::time::Duration;

use chrono::DateTime;
use chrono_tz::Tz;
use serde_json::{Map, Value};

use crate::events::{Event, Fate};
use crate::job::{Exception, Job};
use crate::php;

/// The line of an event, newline included; `now` is in the output timezone.
pub fn json_line(event: &Event, now: DateTime<Tz>) -> Option<String> {
    let (job, status, result, exception, took) = match event {
        Event::Processing { job } => (job, "starting", None, None, None),
        Event::Processed { job, took, fate } => {
            let result = match fate {
                Fate::Released => Some("released"),
                Fate::Deleted | Fate::Failed => Some("deleted"),
                Fate::Reserved => None,
            };
            (job, "success", result, None, Some(*took))
        }
        Event::ReleasedAfterException { job, took, .. } => {
            (job, "released_after_exception", Some("released"), None, Some(*took))
        }
        // A failed job is a deleted one by then, as in Laravel.
        Event::Failed { job, took, exception } => {
            (job, "failed", Some("deleted"), Some(exception), Some(*took))
        }
        _ => return None,
    };
    let mut line =
        php::json::escape(&Value::Object(object(job, status, result, exception, took, now)).to_string());
    line.push('\n');
    Some(line)
}

fn object(
    job: &Job,
    status: &str,
    result: Option<&str>,
    exception: Option<&Exception>,
    took: Option<Duration>,
    now: DateTime<Tz>,
) -> Map<String, Value> {
    let level = if matches!(status, "starting" | "success") { "info" } else { "warning" };
    let text = |text: Option<String>| text.map_or(Value::Null, Value::String);
    let fields = [
        ("level", level.into()),
        ("id", text(job.payload.id())),
        ("uuid", text(job.payload.uuid())),
        ("connection", (*job.connection).into()),
        ("queue", (*job.queue).into()),
        ("job", job.name().into()),
        ("status", status.into()),
        ("result", result.into()),
        ("attempts", job.attempts.into()),
        ("exception", exception.map(|exception| exception.class.as_str()).into()),
        ("message", exception.map(|exception| exception.message.as_str()).into()),
        ("timestamp", now.format("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string().into()),
    ];
    let filled = |value: &Value| !matches!(value, Value::Null) && value != "" && value != 0;
    let mut object: Map<String, Value> = fields
        .into_iter()
        .filter(|(_, value)| filled(value))
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    if let Some(took) = took {
        let seconds = (took.as_secs_f64() * 1e6).round() / 1e6;
        object.insert("duration".into(), if seconds == 0.0 { 0.into() } else { seconds.into() });
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Payload;

    fn job() -> Job {
        let payload = Payload::parse(r#"{"uuid":"u","displayName":"Ü/b","attempts":0}"#).unwrap();
        Job { connection: "redis".into(), queue: "default".into(), attempts: 1, payload }
    }

    #[test]
    fn keys_stand_in_laravels_order_and_empty_ones_are_left_out() {
        let now = DateTime::from_timestamp(1_700_000_000, 5_000).unwrap().with_timezone(&Tz::Europe__Berlin);
        assert_eq!(
            json_line(&Event::Processing { job: job() }, now).unwrap(),
            "{\"level\":\"info\",\"uuid\":\"u\",\"connection\":\"redis\",\"queue\":\"default\",\"job\":\"\\u00dc\\/b\",\
             \"status\":\"starting\",\"attempts\":1,\"timestamp\":\"2023-11-14T23:13:20.000005+01:00\"}\n"
        );
        let exception = Exception::new("RuntimeException", "boom");
        let failed = Event::Failed { job: job(), took: Duration::ZERO, exception };
        let line = json_line(&failed, now).unwrap();
        assert!(line.contains("\"status\":\"failed\",\"result\":\"deleted\",\"attempts\":1,\"exception\":\"RuntimeException\",\"message\":\"boom\""), "{line}");
        assert!(line.ends_with("\"duration\":0}\n"), "{line}");
    }
}
