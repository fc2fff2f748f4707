//! Our payload of every recorded command is the recorded one, byte for byte, but for uuid and id. The folder is
//! `GOLDEN_DIR` where that is set, else our own recording.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use handover::clock::Clock;
use handover::job::Payload;
use handover::queue::{Queue as _, State};
use handover::{Dispatch, MemoryQueue, Producer, php};
use serde_json::Value;

use crate::support::fixtures;

/// `laravel-8.83.26.jsonl` is version 8.83.
fn version(path: &Path) -> Option<(u32, u32)> {
    let name = path.file_name()?.to_str()?;
    let mut numbers = name.strip_prefix("laravel-")?.strip_suffix(".jsonl")?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// The job that such a payload was made for; `None` where that cannot be told from it: it was pushed as finished bytes, or
/// is encrypted, or hooks of the app have changed it, or its delay was never a property.
fn dispatch(payload: &Payload, delayed: bool) -> Option<Dispatch> {
    let by_laravel = payload.field("displayName").is_some() && payload.id()?.len() == 32;
    if !by_laravel || payload.meta().next().is_some() {
        return None;
    }
    let said = |field| payload.field(field).and_then(|raw| serde_json::from_str::<Value>(raw.get()).ok());
    let mut job = match payload.command() {
        Some(command) if command.is_encrypted() => return None,
        Some(command) => {
            let value = command.value().unwrap();
            value.get("delay").filter(|_| delayed).map_or(!delayed, |delay| !delay.is_null()).then_some(())?;
            Dispatch::object(value.clone())
        }
        None => {
            let job = Dispatch::named(payload.job()?, said("data")?);
            // Of a string job only the recorded case says how much later: Queue::later(20, ...).
            if delayed { job.delay(Duration::from_secs(20)) } else { job }
        }
    };
    // What PHP asked a method for, or left out of the command because it is the class's default.
    let number = |field| said(field).and_then(|value| value.as_i64());
    if let Some(tries) = number("maxTries") {
        job = job.tries(tries as u32);
    }
    if let Some(exceptions) = number("maxExceptions") {
        job = job.max_exceptions(exceptions as u32);
    }
    if let Some(timeout) = number("timeout") {
        job = job.timeout(Duration::from_secs(timeout as u64));
    }
    if let Some(moment) = number("retryUntil").or_else(|| number("timeoutAt")) {
        job = job.retry_until(moment);
    }
    if payload.fail_on_timeout() {
        job = job.fail_on_timeout(true);
    }
    if payload.delete_when_missing_models() {
        job = job.delete_when_missing_models(true);
    }
    if let Some(backoff) = payload.backoff() {
        job = job.backoff(backoff.split(',').map(|seconds| Duration::from_secs(seconds.parse().unwrap())));
    }
    let class = payload.command().map(|command| command.class());
    if class.is_some_and(|class| class != payload.name()) {
        job = job.display_name(payload.name());
    }
    Some(job)
}

/// Our payload of a job that is pushed onto that queue now, with its uuid and id.
async fn made(version: (u32, u32), now: i64, name: &str, job: Dispatch) -> (String, Option<String>, String) {
    let queue = MemoryQueue::new();
    let producer = Producer::on(queue.clone()).version(version).clock(Clock::standing_at(now));
    let pushed = producer.default_queue(name).dispatch(job).await.unwrap();
    let mut found = queue.peek(name, State::Pending, 0, 9).await.unwrap();
    found.extend(queue.peek(name, State::Delayed, 0, 9).await.unwrap());
    assert_eq!(found.len(), 1, "on {name}");
    (String::from_utf8(found.remove(0).payload.to_vec()).unwrap(), pushed.uuid, pushed.id)
}

/// The name of the queue in a recorded key.
fn queue_of(key: &str) -> &str {
    let name = key.split_once("queues:").unwrap().1;
    name.strip_suffix(":delayed").unwrap_or(name)
}

#[tokio::test]
async fn our_payload_of_every_recorded_job_is_the_recorded_one_byte_for_byte() {
    let folder = std::env::var_os("GOLDEN_DIR").map_or_else(|| fixtures().join("golden"), PathBuf::from);
    let mut files = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let Some(version) = version(&path) else { continue };
        files += 1;
        let (mut compared, mut passed_over) = (0, Vec::new());
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let Some(recorded) = line["payload_b64"].as_str() else { continue };
            let recorded = String::from_utf8(BASE64_STANDARD.decode(recorded).unwrap()).unwrap();
            let case = line["case"].as_str().unwrap();
            let job = Payload::parse(recorded.clone().into_bytes()).ok().and_then(|payload| {
                dispatch(&payload, line["redis_type"] == "zset").map(|job| (payload, job))
            });
            let Some((payload, job)) = job else {
                passed_over.push(case.to_owned());
                continue;
            };
            let now = payload.created_at().unwrap_or(1_795_000_000);
            let name = queue_of(line["key"].as_str().unwrap());
            let (ours, uuid, id) = made(version, now, name, job).await;
            assert_eq!(uuid.is_some(), payload.uuid().is_some(), "{version:?} {case}");
            let mut expected = recorded.replacen(&payload.id().unwrap(), &id, 1);
            if let Some(uuid) = uuid {
                expected = expected.replacen(&payload.uuid().unwrap(), &uuid, 1);
            }
            assert_eq!(ours, expected, "{version:?} {case}");
            compared += 1;
        }
        println!("{version:?}: {compared} payloads compared, passed over: {}", passed_over.join(" "));
        assert!(compared > 2 * passed_over.len(), "{version:?}: {compared}, {passed_over:?}");
    }
    assert!(files > 0, "no laravel-*.jsonl in {}", folder.display());
}

#[tokio::test]
async fn the_limits_of_a_recorded_job_are_read_from_its_properties() {
    let command = r#"O:20:"App\Jobs\RetryingJob":6:{s:5:"tries";i:5;s:7:"backoff";a:3:{i:0;i:1;i:1;i:5;i:2;i:10;}s:7:"timeout";i:30;s:13:"maxExceptions";i:2;s:13:"failOnTimeout";b:1;s:4:"what";s:3:"all";}"#;
    let job = php::parse(command.replace("\\\\", "\\").as_bytes()).unwrap();
    let (ours, ..) = made((8, 83), 0, "default", job.into()).await;
    let fields = r#""maxTries":5,"maxExceptions":2,"failOnTimeout":true,"backoff":"1,5,10","timeout":30,"retryUntil":null"#;
    assert!(ours.contains(fields), "{ours}");
}
