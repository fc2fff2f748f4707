//! Bytes that the real frameworks wrote: all are read, all commands are written back to the same bytes, and what the
//! stock pop loses is set aside. The folder is `GOLDEN_DIR` where that is set, else our own recording.

use std::path::PathBuf;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use handover::job::Payload;
use handover::php;
use handover::queue::{Exchange, Queue, State, Token};
use serde_json::Value;

use crate::support::fixtures;
use crate::support::redis::Redis;

/// One recorded payload.
pub struct Recorded {
    name: String,
    pub pushed: Vec<u8>,
    /// What one pop of the stock worker left under `:reserved`; nothing where it lost the job.
    reserved: Option<Vec<u8>>,
}

/// Where recordings are.
pub fn folder() -> PathBuf {
    std::env::var_os("GOLDEN_DIR").map_or_else(|| fixtures().join("golden"), PathBuf::from)
}

/// Every payload recorded.
pub fn recordings() -> Vec<Recorded> {
    let folder = folder();
    let mut recordings = Vec::new();
    for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("laravel-") || !name.ends_with(".jsonl") {
            continue;
        }
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let bytes = |field: &str| line[field].as_str().map(|text| BASE64_STANDARD.decode(text).unwrap());
            // A case whose push was refused has no payload.
            if let Some(pushed) = bytes("payload_b64") {
                let name = format!("{name} {} {}", line["case"], line["i"]);
                recordings.push(Recorded { name, pushed, reserved: bytes("reserved_b64") });
            }
        }
    }
    assert!(!recordings.is_empty(), "no laravel-*.jsonl in {}", folder.display());
    recordings
}

fn check_commands(name: &str, bytes: &[u8]) {
    let payload = Payload::parse(bytes.to_vec()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let Some(command) = payload.command().filter(|command| !command.is_encrypted()) else { return };
    let value = command.value().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(value.write() == command.serialized(), "{name}: the command is not written back as it was");
    check_nested(name, value);
}

/// The members of a chain are commands, too.
fn check_nested(name: &str, value: &php::Value) {
    let Some(chained) = value.get("chained").and_then(php::Value::as_array) else { return };
    for next in chained.values().filter_map(php::Value::as_bytes) {
        let value = php::parse(next).unwrap_or_else(|error| panic!("{name}: chained: {error}"));
        assert_eq!(value.write(), next, "{name}: chained");
        check_nested(name, &value);
    }
}

#[test]
fn golden_payloads_are_read_and_their_commands_written_back() {
    for Recorded { name, pushed, reserved } in recordings() {
        let Some(reserved) = reserved else { continue };
        check_commands(&name, &pushed);
        check_commands(&format!("{name} reserved"), &reserved);
        let attempts = |bytes: &[u8]| Payload::parse(bytes.to_vec()).unwrap().attempts();
        assert_eq!(attempts(&pushed) + 1, attempts(&reserved), "{name}");
    }
}

#[tokio::test]
async fn golden_payloads_are_reserved_as_stock_does_or_set_aside_where_it_loses_them() {
    let redis = Redis::start();
    let queue = crate::conformance::redis_queue(&redis);
    for Recorded { name, pushed, reserved } in recordings() {
        queue.push("golden", &pushed).await.unwrap();
        let ask = Exchange { want: 1, now: 1_000, lease: 90, token: Token::new(7), ..Exchange::default() };
        let done = queue.exchange("golden", ask).await.unwrap();
        match reserved {
            Some(stock) => {
                let [ours] = &done.reserved[..] else {
                    panic!("{name}: not reserved: {:?}", done.quarantined)
                };
                assert_eq!(ours.popped(), &pushed, "{name}");
                let attempts = Payload::parse(stock).unwrap().attempts();
                assert_eq!(Payload::parse(ours.reserved()).unwrap().attempts(), attempts, "{name}");
            }
            None => {
                let aside = queue.peek("golden", State::Quarantined, 0, 9).await.unwrap();
                assert_eq!(aside.len(), 1, "{name} is not set aside");
                assert_eq!(aside[0].payload, Bytes::from(pushed), "{name}");
            }
        }
        done.reserved.into_iter().for_each(handover::queue::Reservation::close);
        redis.flush();
    }
}
