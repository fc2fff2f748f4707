//! Jobs pushed from Rust: run by the real `queue:work` and by our own worker with PHP children, and held against the
//! payloads that the real frameworks pushed. Never looks into the producer.

mod recorded;
mod shell;

use std::time::Duration;

use handover::dialect::Laravel;
use handover::php::{self, Model, ModelId};
use handover::queue::{RedisQueue, RedisQueueOptions};
use handover::{Dispatch, Producer};
use serde::Serialize;
use serde_json::{Value, json};

use crate::support::differential::{Scenario, handover, pooled};
use crate::support::laravel::App;
use crate::support::process::Running;
use crate::support::proxy::{Fault, Proxy, When};
use crate::support::redis::Redis;
use crate::support::snapshot::shift;

/// A producer for this application, by way of this address.
fn producer_at(app: &App, url: &str) -> Producer {
    let server = handover::redis::Redis::new(url).unwrap();
    let dialect = Laravel { version: (8, 83), ..Laravel::new(app.key("")) };
    Producer::on(RedisQueue::new(server, dialect, RedisQueueOptions::default())).version((8, 83))
}

fn producer(app: &App, redis: &Redis) -> Producer {
    producer_at(app, &redis.url(0))
}

/// An object of a fixture class with these public properties.
fn job(class: &str, properties: Value) -> Dispatch {
    php::object(format!("App\\Jobs\\{class}")).of(&properties).unwrap().into()
}

/// `App\Jobs\Succeed` of this name.
fn succeed(name: &str) -> Dispatch {
    job("Succeed", json!({"name": name, "args": []}))
}

/// Works these queues until they are empty, in PHP.
#[track_caller]
fn work(app: &App, queues: &str) {
    let end = app.queue_work(&["--stop-when-empty", &format!("--queue={queues}")]);
    assert_eq!(end.code, 0, "{}{}", end.stdout, end.stderr);
}

/// What each job `Shows` of these names has shown.
fn shown(app: &App, name: &str) -> Value {
    let trace = app.trace();
    let line = trace.iter().find_map(|line| line.strip_prefix(&format!("Shows {name} attempt 1 ")));
    serde_json::from_str(line.unwrap_or_else(|| panic!("Shows {name} in {trace:#?}"))).unwrap()
}

#[derive(Serialize)]
#[serde(rename = "App\\Enums\\Suit")]
enum Suit {
    Spades,
}

#[derive(Serialize)]
#[serde(rename = "App\\Enums\\Plan")]
enum Plan {
    Paid,
}

#[derive(Serialize)]
#[serde(rename = "DateTimeImmutable")]
struct Date {
    date: &'static str,
    timezone_type: i64,
    timezone: &'static str,
}

#[derive(Serialize)]
struct Shows {
    name: &'static str,
    value: Value,
    user: Model,
    suit: Suit,
    plan: Plan,
    at: php::Value,
    list: Value,
    secret: &'static str,
}

#[tokio::test]
async fn an_object_arrives_in_php_with_every_property() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let value =
        json!({"ünï/\u{2028}": [1, -2.5, "\"\\/\u{0}\u{7f} 日本 🚀"], "5": {"deep": [[[]]]}, "no": null});
    let date = Date { date: "2026-01-02 03:04:05.678000", timezone_type: 3, timezone: "Europe/Berlin" };
    let object = php::object("App\\Jobs\\Shows").protected(["list"]).private(["secret"]);
    let object = object.of(&Shows {
        name: "all",
        value: value.clone(),
        user: Model {
            class: Some("App\\Models\\User".to_owned()),
            id: ModelId::Int(1),
            relations: Vec::new(),
            connection: Some("sqlite".to_owned()),
            collection_class: None,
        },
        suit: Suit::Spades,
        plan: Plan::Paid,
        at: php::object("DateTimeImmutable").of(&date).unwrap(),
        list: json!(["a", {"b": true}]),
        secret: "s3cret",
    });
    producer(&app, &redis).dispatch(object.unwrap()).await.unwrap();
    work(&app, "default");
    let expected = json!({
        "value": value, "user": "Ada", "suit": "Spades", "plan": "paid", "at": "2026-01-02T03:04:05+01:00",
        "list": ["a", {"b": true}], "secret": "s3cret", "queue": ["default", null, null],
        "limits": [null, null, false, null, null, null], "shown": "App\\Jobs\\Shows",
    });
    assert_eq!(shown(&app, "all"), expected);
    assert_eq!(app.failed_rows().len(), 0);
}

#[tokio::test]
async fn what_is_said_of_a_job_is_what_its_worker_goes_by() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let producer = producer(&app, &redis);
    let seconds = Duration::from_secs;
    let limited = job("Shows", json!({"name": "limits"})).on_queue("mail").tries(5).max_exceptions(2);
    let limited = limited.fail_on_timeout(true).backoff([seconds(1), seconds(5)]).timeout(seconds(30));
    let limited = limited.retry_until(1_999_999_999).display_name("Invoice 42");
    producer.dispatch(limited).await.unwrap();
    producer.dispatch(job("Shows", json!({"name": "later"})).delay(seconds(600))).await.unwrap();
    producer.dispatch(job("Shows", json!({"name": "own", "tries": 4, "queue": "mail"}))).await.unwrap();
    let throws =
        job("ThrowsAlways", json!({"name": "twice", "message": "no"})).tries(2).backoff([seconds(400)]);
    let twice = producer.dispatch(throws).await.unwrap();
    let data = json!({"a": [], "b": {}, "é/": 1.5});
    producer.dispatch(Dispatch::named("App\\Legacy@fire", data.clone())).await.unwrap();
    producer.dispatch(Dispatch::named("App\\Legacy@again", "x").delay(seconds(600)).tries(2)).await.unwrap();

    work(&app, "mail,default");
    let limits = shown(&app, "limits");
    assert_eq!(limits["limits"], json!([5, 2, true, "1,5", 30, 1_999_999_999]));
    assert_eq!((&limits["queue"], &limits["shown"]), (&json!(["mail", "mail", null]), &json!("Invoice 42")));
    let own = shown(&app, "own");
    assert_eq!((&own["queue"], &own["limits"][0]), (&json!(["mail", "mail", null]), &json!(4)));
    assert!(app.trace().contains(&r#"Legacy fire attempt 1 {"a":[],"b":[],"\u00e9\/":1.5}"#.to_owned()));
    assert_eq!(app.failed_rows().len(), 0);
    let later = "Shows later attempt 1";
    assert!(!app.trace().iter().any(|line| line.starts_with(later)), "before its time");

    shift(&redis, 200);
    work(&app, "default");
    assert_eq!(app.failed_rows().len(), 0);
    shift(&redis, 400);
    work(&app, "default");
    assert_eq!(shown(&app, "later")["queue"], json!(["default", null, 600]));
    assert!(
        app.trace().contains(&"Legacy again attempt 2 \"x\"".to_owned()),
        "a string job keeps its tries, too"
    );
    let rows = app.failed_rows();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["uuid"].as_str(), twice.uuid.as_deref());
}

/// A chain of three: from `default` to `two` with tries and a delay of its own, then wherever the chain runs.
fn chain() -> Dispatch {
    let two = job("Shows", json!({"name": "two", "value": "é"})).on_queue("two").tries(7);
    let two = two.backoff([Duration::from_secs(3)]).timeout(Duration::from_secs(20));
    let three = job("Shows", json!({"name": "three"})).available_at(1_000_000_000);
    succeed("one").all_on_queue("chained").chain([two, three])
}

#[track_caller]
fn assert_chained(app: &App) {
    assert_eq!(app.trace()[0], "Succeed one attempt 1");
    assert_eq!(app.trace().len(), 3, "{:?}", app.trace());
    let (two, three) = (shown(app, "two"), shown(app, "three"));
    assert_eq!((&two["queue"], &two["value"]), (&json!(["two", "two", null]), &json!("é")));
    assert_eq!(two["limits"], json!([7, null, false, "3", 20, null]));
    assert_eq!((&three["queue"][0], &three["queue"][1]), (&json!("chained"), &json!("chained")));
    assert_eq!(three["limits"], json!([null, null, false, null, null, null]));
    assert_eq!(app.failed_rows().len(), 0);
}

#[tokio::test]
async fn a_chain_runs_to_its_end_in_queue_work() {
    let redis = Redis::start();
    let app = App::new(&redis);
    producer(&app, &redis).dispatch(chain()).await.unwrap();
    work(&app, "default,chained,two");
    assert_chained(&app);
}

#[tokio::test]
async fn a_chain_runs_to_its_end_in_our_own_worker_with_php_children() {
    let redis = Redis::start();
    let app = App::new(&redis);
    producer(&app, &redis).dispatch(chain()).await.unwrap();
    let end = Running::start(pooled(&app, &["--stop-when-empty", "--queue=default,chained,two"])).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_chained(&app);
}

#[test]
fn a_handler_leaves_in_redis_what_the_php_job_leaves_that_dispatches_the_same() {
    Scenario::new()
        .push(json!([{"job": "Dispatches", "args": ["d"]}]))
        .work(&["--once"])
        .work(&["--stop-when-empty"])
        .work(&["--stop-when-empty", "--queue=other"])
        .pass(60)
        .work(&["--stop-when-empty"])
        .assert_drop_in(&handover);
}

#[tokio::test]
async fn a_bulk_of_250_takes_three_calls_and_runs_in_order() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let proxy = Proxy::new(&redis);
    let jobs: Vec<Dispatch> = (0..250).map(|n| succeed(&format!("b-{n}"))).collect();
    let pushed = producer_at(&app, &proxy.url(0)).bulk(jobs).await.unwrap();
    assert_eq!((pushed.len(), proxy.scripts("unpack(tokens)")), (250, 3));
    let (ready, tokens): (usize, usize) = (
        redis.query(&["LLEN", &app.key("queues:default")]),
        redis.query(&["LLEN", &app.key("queues:default:notify")]),
    );
    assert_eq!((ready, tokens), (250, 250));
    work(&app, "default");
    let expected: Vec<String> = (0..250).map(|n| format!("Succeed b-{n} attempt 1")).collect();
    assert_eq!(app.trace(), expected);
}

#[tokio::test]
async fn a_bulk_that_is_cut_says_how_many_were_pushed_before() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let proxy = Proxy::new(&redis);
    proxy.arm(When::script("unpack(tokens)").nth(2), Fault::CutAfter);
    let jobs = (0..250).map(|n| succeed(&format!("c-{n}")));
    let error = producer_at(&app, &proxy.url(0)).bulk(jobs).await.unwrap_err();
    assert!(error.to_string().ends_with("(100 jobs of the bulk were pushed before)"), "{error}");
    let handover::producer::Error::Queue { source, .. } = error else { panic!("{error}") };
    assert!(source.may_have_happened());
    let ready: usize = redis.query(&["LLEN", &app.key("queues:default")]);
    assert_eq!(ready, 200, "the second call had its effect, and nothing was sent twice");
}
