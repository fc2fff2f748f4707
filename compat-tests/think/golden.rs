//! Every payload that the real think-queue wrote is read, found by its class and reserved with the attempts that stock
//! gives it. The folder is `GOLDEN_DIR` where that is set, else our own few lines after the fact sheet.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use handover::job::Payload;
use handover::php;
use handover::queue::{Exchange, Queue, Reservation, State, Token};
use serde_json::Value;

use super::of;
use crate::conformance::speaking;
use crate::golden::folder;
use crate::support::redis::Redis;

struct Recorded {
    name: String,
    version: String,
    key: String,
    pushed: Vec<u8>,
    reserved: Option<Vec<u8>>,
}

fn recordings() -> Vec<Recorded> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("think-queue-") || !name.ends_with(".jsonl") {
            continue;
        }
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let text = |field: &str| line[field].as_str().map(str::to_owned);
            let bytes = |field: &str| text(field).map(|text| BASE64_STANDARD.decode(text).unwrap());
            found.extend(bytes("payload_b64").map(|pushed| Recorded {
                name: format!("{name} {}", line["case"]),
                version: text("version").unwrap(),
                key: text("key").unwrap(),
                pushed,
                reserved: bytes("reserved_b64"),
            }));
        }
    }
    assert!(!found.is_empty(), "no think-queue-*.jsonl in {}", folder().display());
    found
}

#[tokio::test]
async fn golden_payloads_of_think_queue_are_read_and_reserved_as_stock_does() {
    let redis = Redis::start();
    for Recorded { name, version, key, pushed, reserved } in recordings() {
        let dialect = of(&version);
        let named = key.trim_end_matches(":delayed").trim_matches(['{', '}']);
        let at = named.strip_prefix("queues:").expect("a queue");
        assert!(key.starts_with(&dialect.keys(at).ready), "{name}: {key}");
        let queue = speaking(&redis, dialect.clone());
        queue.push(at, &pushed).await.unwrap();
        let ask = Exchange { want: 1, now: 1_000, lease: 60, token: Token::new(7), ..Exchange::default() };
        let done = queue.exchange(at, ask).await.unwrap();
        let [ours] = &done.reserved[..] else { panic!("{name}: {:?}", done.quarantined) };
        let payload = dialect.read(ours.popped().clone()).unwrap();
        assert!(payload.class().is_some_and(|class| class.starts_with("app\\")), "{name}: {payload:?}");
        assert_eq!(ours.attempts(), 1, "{name}: row 9");
        if let Some(command) = payload.command() {
            assert_eq!(command.value().unwrap().write(), command.serialized(), "{name}");
        }
        if let Some(stock) = reserved {
            let standing = queue.peek(at, State::Reserved, 0, 9).await.unwrap();
            same_to_php(&name, &standing[0].payload, &stock);
        }
        done.reserved.into_iter().for_each(Reservation::close);
        redis.flush();
    }
}

/// Equal once PHP has decoded them: `{}` and `[]` are one to it, and so are `-0` and `0`.
fn same_to_php(name: &str, ours: &[u8], stock: &[u8]) {
    fn plain(value: &mut Value) {
        match value {
            Value::Object(fields) if fields.is_empty() => *value = Value::Array(Vec::new()),
            Value::Object(fields) => fields.values_mut().for_each(plain),
            Value::Array(items) => items.iter_mut().for_each(plain),
            Value::Number(number) if number.as_f64() == Some(0.0) => *value = 0.into(),
            _ => {}
        }
    }
    let [ours, stock] = [ours, stock].map(|bytes| {
        let mut value: Value = serde_json::from_slice(bytes).unwrap();
        plain(&mut value);
        value
    });
    assert_eq!(ours, stock, "{name}");
    let order = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(order(&ours), order(&stock), "{name}: row 7");
}

#[test]
fn an_object_of_think_queue_shows_its_private_properties() {
    let json = r#"{"job":"think\\queue\\CallQueuedHandler@call","data":{"commandName":"app\\job\\SendEmail","command":"O:17:\"app\\job\\SendEmail\":2:{s:23:\"\u0000app\\job\\SendEmail\u0000body\";s:1:\"b\";s:5:\"\u0000*\u0000cc\";a:1:{i:0;s:1:\"x\";}}"},"attempts":0}"#;
    #[derive(serde::Deserialize)]
    struct SendEmail {
        body: String,
        cc: Vec<String>,
    }
    let payload: Payload = of("3.0.9").read(json.as_bytes().into()).unwrap();
    let email: SendEmail = php::from_value(payload.command().unwrap().value().unwrap()).unwrap();
    assert_eq!((email.body.as_str(), email.cc), ("b", vec!["x".to_owned()]));
}
