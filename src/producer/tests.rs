//! What is pushed for what is said: fields by version, chains, refusals, batches. Bytes of real Laravels are compared in
//! `compat-tests/producer.rs`.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::dialect::Laravel;
use crate::job::Payload;
use crate::queue::{MemoryQueue, State};
use crate::{Context, Worker, php};

const NOW: i64 = 1_700_000_000;

fn producer(version: (u32, u32)) -> (MemoryQueue, Producer) {
    let queue = MemoryQueue::speaking(Laravel { version, ..Laravel::new("") });
    let producer = Producer::on(queue.clone()).clock(Clock::standing_at(NOW));
    (queue, producer)
}

fn job(json: Value) -> php::Value {
    php::object("App\\Jobs\\Job").of(&json).unwrap()
}

async fn payloads(queue: &MemoryQueue, name: &str, state: State) -> Vec<String> {
    let peeked = queue.peek(name, state, 0, 1_000).await.unwrap();
    peeked.iter().map(|peeked| String::from_utf8(peeked.payload.to_vec()).unwrap()).collect()
}

async fn pushed(version: (u32, u32), dispatch: impl Into<Dispatch>) -> Value {
    let (queue, producer) = producer(version);
    producer.dispatch(dispatch).await.unwrap();
    serde_json::from_str(&payloads(&queue, "default", State::Pending).await[0]).unwrap()
}

async fn refused(version: (u32, u32), dispatch: impl Into<Dispatch>) -> String {
    let (queue, producer) = producer(version);
    let error = producer.dispatch(dispatch).await.unwrap_err().to_string();
    assert_eq!(queue.sizes("default"), crate::queue::Sizes::default());
    error
}

#[tokio::test]
async fn each_version_has_its_own_fields_in_its_own_order() {
    for (version, object, named) in [
        (
            (5, 5),
            "displayName job maxTries timeout timeoutAt data id attempts",
            "displayName job maxTries timeout data id attempts",
        ),
        (
            (5, 8),
            "displayName job maxTries delay timeout timeoutAt data id attempts",
            "displayName job maxTries delay timeout data id attempts",
        ),
        (
            (7, 30),
            "uuid displayName job maxTries maxExceptions delay timeout timeoutAt data id attempts",
            "uuid displayName job maxTries maxExceptions delay timeout data id attempts",
        ),
        (
            (8, 42),
            "uuid displayName job maxTries maxExceptions backoff timeout retryUntil data id attempts",
            "uuid displayName job maxTries maxExceptions backoff timeout data id attempts",
        ),
        (
            (12, 10),
            "uuid displayName job maxTries maxExceptions failOnTimeout backoff timeout retryUntil data id attempts",
            "uuid displayName job maxTries maxExceptions failOnTimeout backoff timeout data id attempts",
        ),
        (
            (13, 0),
            "uuid displayName job maxTries maxExceptions failOnTimeout backoff timeout retryUntil deleteWhenMissingModels data createdAt id attempts delay",
            "uuid displayName job maxTries maxExceptions failOnTimeout backoff timeout data createdAt id attempts delay",
        ),
    ] {
        let fields = |value: Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(fields(pushed(version, job(json!({}))).await), object, "{version:?}");
        assert_eq!(fields(pushed(version, Dispatch::named("A@b", Value::Null)).await), named, "{version:?}");
    }
}

#[tokio::test]
async fn what_is_not_said_is_taken_from_public_properties() {
    let said = json!({"tries": 5, "maxExceptions": 2, "failOnTimeout": true, "backoff": [1, 5], "timeout": 30, "retryUntil": 9});
    let hidden = php::object("A").protected(["tries"]).of(&json!({"tries": 5})).unwrap();
    assert_eq!(pushed((13, 0), hidden).await["maxTries"], Value::Null);
    let payload = pushed((13, 0), job(said.clone())).await;
    let fields = ["maxTries", "maxExceptions", "failOnTimeout", "backoff", "timeout", "retryUntil"];
    let got = |payload: &Value| fields.map(|field| payload[field].clone());
    assert_eq!(got(&payload), [json!(5), json!(2), json!(true), json!("1,5"), json!(30), json!(9)]);
    let otherwise = Dispatch::object(job(said)).tries(1).max_exceptions(3).fail_on_timeout(false);
    let otherwise = otherwise.backoff([Duration::from_millis(1_500)]).timeout(Duration::ZERO).retry_until(7);
    let payload = pushed((13, 0), otherwise).await;
    assert_eq!(got(&payload), [json!(1), json!(3), json!(false), json!("2"), json!(0), json!(7)]);
}

#[tokio::test]
async fn queue_and_delay_go_to_the_queue_and_into_the_object() {
    let (queue, producer) = producer((12, 11));
    let minute = Duration::from_secs(60);
    producer.dispatch(Dispatch::object(job(json!({}))).on_queue("q").delay(minute)).await.unwrap();
    producer.dispatch(job(json!({"queue": "q", "delay": 60}))).await.unwrap();
    producer.dispatch(Dispatch::object(job(json!({}))).on_queue("q").available_at(NOW + 60)).await.unwrap();
    let peeked = queue.peek("q", State::Delayed, 0, 9).await.unwrap();
    assert_eq!(peeked.iter().map(|peeked| peeked.at).collect::<Vec<_>>(), [Some((NOW + 60) as f64); 3]);
    for peeked in peeked {
        let payload = Payload::parse(peeked.payload).unwrap();
        assert_eq!((payload.delay().as_deref(), payload.created_at()), (Some("60"), Some(NOW)));
        let command = payload.command().unwrap().value().unwrap();
        assert_eq!(command.get("queue").unwrap().as_str(), Some("q"));
        let delay = command.get("delay").unwrap();
        assert!(delay.as_int() == Some(60) || delay.to_json().unwrap() == "2023-11-14T22:14:20.000000+00:00");
    }
    let error = refused((13, 0), job(json!({"delay": ["a"]}))).await;
    assert_eq!(error, "the property \"delay\" is an array: give seconds or a date, or use Dispatch::delay");
}

#[tokio::test]
async fn a_chain_carries_what_is_said_of_each_job_in_its_properties() {
    let next = Dispatch::object(job(json!({"n": 2}))).on_queue("two").on_connection("other").tries(3);
    let next = next.backoff([Duration::from_secs(1)]).delay(Duration::from_secs(5)).retry_until(9);
    let first = Dispatch::object(job(json!({"n": 1}))).chain([next, job(json!({"n": 3})).into()]);
    let payload = pushed((8, 83), first.all_on_connection("redis")).await;
    let command = php::parse(payload["data"]["command"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(command.get("chainConnection").unwrap().as_str(), Some("redis"));
    let chained = command.get("chained").unwrap().as_array().unwrap();
    let chained: Vec<Value> = chained
        .values()
        .map(|next| php::parse(next.as_bytes().unwrap()).unwrap().to_json().unwrap())
        .collect();
    let two = json!({"$class": "App\\Jobs\\Job", "n": 2, "connection": "other", "queue": "two", "delay": 5, "tries": 3, "retryUntil": 9, "backoff": [1]});
    assert_eq!(chained, [two, json!({"$class": "App\\Jobs\\Job", "n": 3})]);
}

#[tokio::test]
async fn what_no_worker_could_run_as_meant_is_refused_in_words() {
    let chain = |next: Dispatch| refused((8, 83), Dispatch::object(job(json!({}))).chain([next]));
    let plain = || Dispatch::object(job(json!({})));
    assert_eq!(
        chain(Dispatch::named("App\\Legacy@fire", Value::Null)).await,
        "[App\\Legacy@fire] cannot be part of a chain: it is a string job, and PHP goes on only with objects; make it a job class"
    );
    assert!(chain(plain().chain([plain()])).await.contains("put its jobs into the outer chain"));
    assert!(chain(plain().display_name("x")).await.contains("PHP asks its class"));
    assert!(chain(plain().all_on_queue("x")).await.contains("use on_queue"));
    let begun = Dispatch::named("A@b", Value::Null).chain([plain()]);
    assert!(refused((8, 83), begun).await.contains("begin with a job class"));
    assert!(
        refused((8, 83), php::Value::from(5))
            .await
            .starts_with("expected an object of a job class, found [i:5;]")
    );
    let elsewhere = refused((8, 83), plain().on_connection("sqs")).await;
    assert!(
        elsewhere.starts_with("the job is for the connection [sqs], and this producer pushes to [redis]")
    );
    for (version, dispatch, error) in [
        (
            (6, 20),
            plain().max_exceptions(2),
            "max_exceptions [2] means nothing to Laravel 6.20: Laravel 7 brought it; say tries",
        ),
        (
            (8, 42),
            plain().fail_on_timeout(true),
            "fail_on_timeout [true] means nothing to Laravel 8.42: Laravel 8.43 brought it; say tries(1)",
        ),
        (
            (7, 0),
            plain().backoff([Duration::ZERO, Duration::from_secs(1)]),
            "backoff [0,1] means nothing to Laravel 7.0: before Laravel 8 it is one duration; give one",
        ),
        (
            (5, 5),
            plain().backoff([Duration::ZERO]),
            "backoff [0] means nothing to Laravel 5.5: Laravel 5.8 brought it; start the worker with --delay",
        ),
        (
            (12, 0),
            plain().delete_when_missing_models(true),
            "delete_when_missing_models [true] means nothing to Laravel 12.0: before Laravel 13 only the class can say it, by its property",
        ),
    ] {
        assert_eq!(refused(version, dispatch.clone()).await, error);
        assert_eq!(refused(version, plain().chain([dispatch])).await, error);
    }
}

#[tokio::test]
async fn bytes_that_are_not_utf_8_are_refused_in_the_versions_words() {
    let mut properties = php::Array::new();
    properties.push("pdf", &b"\xff"[..]);
    let job = php::Object::new("App\\Jobs\\Job", properties);
    let way_out = ". A property of [App\\Jobs\\Job] holds bytes that are not UTF-8: put them there in base64, and decode them in the job";
    for (version, words) in [
        ((9, 52), "Unable to JSON encode payload. Error code: 5"),
        (
            (12, 0),
            "Unable to JSON encode payload. Error (5): Malformed UTF-8 characters, possibly incorrectly encoded",
        ),
        (
            (13, 0),
            "Unable to JSON encode payload for job [App\\Jobs\\Job] on queue [queues:default]. Error (5): Malformed UTF-8 characters, possibly incorrectly encoded",
        ),
    ] {
        assert_eq!(refused(version, job.clone()).await, format!("{words}{way_out}"));
    }
}

#[tokio::test]
async fn a_bulk_keeps_its_order_on_every_queue_and_a_bad_job_keeps_all_back() {
    let (queue, producer) = producer((8, 83));
    let jobs = (0..250).map(|n| {
        let job = Dispatch::object(job(json!({"n": n})));
        match n % 5 {
            0 => job.on_queue("fives"),
            1 => job.delay(Duration::from_secs(1)),
            _ => job,
        }
    });
    let answers = producer.bulk(jobs).await.unwrap();
    let sizes = |name| queue.sizes(name);
    assert_eq!((sizes("fives").pending, sizes("default").delayed, sizes("default").pending), (50, 50, 150));
    let all = payloads(&queue, "default", State::Pending).await;
    let uuids = all.iter().map(|raw| Payload::parse(raw.clone()).unwrap().uuid());
    let expected = answers.into_iter().enumerate().filter(|(n, _)| n % 5 > 1).map(|(_, pushed)| pushed.uuid);
    assert!(uuids.eq(expected));
    queue.clear("default").await.unwrap();
    assert!(producer.bulk([job(json!({})), php::Value::Null]).await.is_err());
    assert_eq!(sizes("default").pending, 0);
}

#[test]
fn batches_are_bounded_by_count_and_bytes() {
    let sizes = |all: &[usize]| batches(all, |size| *size).map(<[usize]>::len).collect::<Vec<_>>();
    assert_eq!(sizes(&[1; 250]), [100, 100, 50]);
    let half = BATCH_BYTES / 2;
    assert_eq!(sizes(&[half, half, 1, BATCH_BYTES * 2, 1]), [2, 1, 1, 1]);
    assert!(sizes(&[]).is_empty());
}

#[tokio::test]
async fn a_handler_pushes_onto_its_own_connection() {
    #[derive(serde::Deserialize)]
    struct Order {
        id: i64,
    }
    async fn ship(order: Order, ctx: Context) -> crate::Result<()> {
        let invoice = php::object("App\\Jobs\\Invoice").of(&json!({"order": order.id}))?;
        ctx.dispatch(Dispatch::object(invoice).on_queue("invoices")).await?;
        ctx.producer().bulk([Dispatch::named("App\\Legacy@fire", order.id)]).await?;
        Ok(())
    }
    let (queue, producer) = producer((8, 83));
    producer.dispatch(job(json!({"id": 7}))).await.unwrap();
    let worker = Worker::on(queue.clone()).default_queue("own");
    worker.handle("App\\Jobs\\Job", ship).drain().await.unwrap();
    let invoice = Payload::parse(payloads(&queue, "invoices", State::Pending).await.remove(0)).unwrap();
    assert_eq!(invoice.command().unwrap().value().unwrap().get("order").unwrap().as_int(), Some(7));
    assert!(invoice.field("createdAt").is_none(), "the worker's version");
    assert!(payloads(&queue, "own", State::Pending).await[0].contains(r#""data":7"#));
}
