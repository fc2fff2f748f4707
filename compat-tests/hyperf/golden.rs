//! Every message that the real async-queue wrote is read, found by its class, reserved as it is, and written again with
//! another count. The folder is `GOLDEN_DIR` where that is set, else our own few lines after the fact sheet.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use handover::dialect::hyperf::message::Message;
use handover::job::Settlement;
use handover::queue::{Exchange, Queue, Settling, State, Token};
use handover::{Worker, php};
use serde_json::Value;

use super::classes::{same_trace, with_classes};
use super::of;
use crate::conformance::speaking;
use crate::golden::folder;
use crate::support::redis::Redis;
use crate::think::classes::Trace;

struct Recorded {
    name: String,
    version: String,
    key: String,
    pushed: Vec<u8>,
    reserved: Vec<u8>,
    handled: Value,
}

fn recordings() -> Vec<Recorded> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("hyperf-async-queue-") || !name.ends_with(".jsonl") {
            continue;
        }
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let text = |field: &str| line[field].as_str().expect("a text").to_owned();
            let bytes = |field: &str| BASE64_STANDARD.decode(text(field)).unwrap();
            found.push(Recorded {
                name: format!("{name} {}", line["case"]),
                version: text("version"),
                key: text("key"),
                pushed: bytes("payload_b64"),
                reserved: bytes("reserved_b64"),
                handled: line["handled"].clone(),
            });
        }
    }
    assert!(found.len() >= 15, "{} messages in {}", found.len(), folder().display());
    found
}

#[tokio::test]
async fn golden_messages_are_read_reserved_as_they_are_and_retried_with_only_their_count_changed() {
    let redis = Redis::start();
    for Recorded { name, version, key, pushed, reserved, .. } in recordings() {
        let (channel, role) = key.rsplit_once(':').unwrap();
        let queue = speaking(&redis, of(&version));
        match role {
            "delayed" => queue.later(channel, &pushed, 1_000).await.unwrap(),
            _ => queue.push(channel, &pushed).await.unwrap(),
        }
        let there: i64 = redis.query(&["EXISTS", &key]);
        assert_eq!(there, 1, "{name}: {key}");
        let ask = Exchange { want: 1, now: 1_000, lease: 10, token: Token::new(7), ..Exchange::default() };
        let reservation = queue.exchange(channel, ask).await.unwrap().reserved.remove(0);
        let standing = async |state| queue.peek(channel, state, 0, 9).await.unwrap().remove(0).payload;
        assert_eq!(standing(State::Reserved).await, reserved, "{name}: row 8");

        let payload = of(&version).read(reservation.popped().clone()).unwrap();
        assert!(payload.class().is_some_and(|class| class.starts_with("App\\")), "{name}: {payload:?}");
        let message = Message::read(&pushed).expect("a message");
        assert_eq!((payload.attempts(), reservation.attempts()), (message.attempts, message.attempts + 1));
        assert_eq!(message.counted(message.attempts), pushed, "{name}");
        if let Some(command) = payload.command() {
            let value = php::parse(command.serialized()).unwrap();
            assert_eq!(value.write(), command.serialized(), "{name}");
            assert_eq!(command.serialized(), message.job, "{name}: no references, so the same bytes");
        }

        let settle = [Settling { reservation, settlement: Settlement::Release { at: 2_000 } }];
        let ask = Exchange { settle: &settle, now: 1_000, ..Exchange::default() };
        assert_eq!(queue.exchange(channel, ask).await.unwrap().settled, [true]);
        settle.into_iter().for_each(|settling| settling.reservation.close());
        let retried = standing(State::Delayed).await;
        let again = Message::read(&retried).expect("a message");
        assert_eq!((again.job, again.attempts), (message.job, message.attempts + 1), "{name}: row 21");
        assert_eq!(again.counted(message.attempts), pushed, "{name}: row 21");
        php::parse(&retried).unwrap();
        redis.flush();
    }
}

#[tokio::test]
async fn golden_messages_do_what_they_did_in_php() {
    let redis = Redis::start();
    let mut ran = 0;
    for Recorded { name, version, pushed, handled, .. } in recordings() {
        if handled.is_null() {
            continue;
        }
        let queue = speaking(&redis, of(&version));
        queue.push("{queue}", &pushed).await.unwrap();
        let trace = Trace::default();
        let worker = with_classes(Worker::on(queue.clone()).queues(["{queue}"]), &trace);
        worker.drain().await.unwrap();
        assert!(same_trace(&trace.lines(), &handled), "{name}: {:?}, not {handled}", trace.lines());
        let left: Vec<String> = redis.query(&["KEYS", "*"]);
        assert_eq!(left, [""; 0], "{name}: row 9");
        ran += 1;
    }
    assert!(ran >= 4, "{ran} messages ran");
}
