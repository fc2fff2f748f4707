//! The judge forgives what it should and reports every mutated after-state.

use serde_json::{Value, json};

use crate::support::compare::{Exceptions, Side, differences, only_attempts_differ, rewritten};
use crate::support::snapshot::{Key, Snapshot, Stored};

const START: f64 = 1_800_000_000.25;
const QUEUE: &str = "p_queues:default";

fn job(uuid: &str, attempts: u32) -> String {
    format!(
        r#"{{"uuid":"{uuid}","data":{{"x":[],"path":"a\/b","n":1.0}},"id":"id-{uuid}","attempts":{attempts}}}"#
    )
}

/// Two waiting jobs with their tokens, one delayed, one reserved, a lock, one failed job.
fn state() -> Snapshot {
    let bytes = |uuid, attempts| job(uuid, attempts).into_bytes();
    let key = |name: &str, value, expires| ((0, name.to_owned()), Key { value, expires });
    let row = json!({"id": 1, "uuid": "u5", "connection": "redis", "queue": "default", "payload": job("u5", 0),
        "exception": "RuntimeException: boom in /app/Job.php:16\nStack trace:\n#0", "failed_at": "2027-01-15 08:00:00"});
    Snapshot {
        keys: [
            key(QUEUE, Stored::List(vec![bytes("u1", 0), bytes("u2", 0)]), None),
            key("p_queues:default:notify", Stored::List(vec![b"1".to_vec(), b"1".to_vec()]), None),
            key("p_queues:default:delayed", Stored::Zset(vec![(bytes("u3", 1), 1_800_000_060.0)]), None),
            key("p_queues:default:reserved", Stored::Zset(vec![(bytes("u4", 1), 1_800_000_090.0)]), None),
            key("p_lock", Stored::Text(b"abcdefghijklmnop".to_vec()), Some(START + 600.0)),
        ]
        .into(),
        tables: [("failed_jobs".to_owned(), vec![row.as_object().expect("a row").clone()])].into(),
    }
}

fn side(after: Snapshot) -> Side {
    Side { before: Snapshot::default(), after, window: (START, START + 0.2) }
}

fn judge(after: Snapshot) -> Vec<String> {
    differences(&side(state()), &side(after), Exceptions::Compared)
}

fn stored<'a>(snapshot: &'a mut Snapshot, name: &str) -> &'a mut Stored {
    &mut snapshot.keys.get_mut(&(0, name.to_owned())).expect("the key").value
}

fn list<'a>(snapshot: &'a mut Snapshot, name: &str) -> &'a mut Vec<Vec<u8>> {
    match stored(snapshot, name) {
        Stored::List(items) => items,
        other => panic!("{other:?}"),
    }
}

fn zset<'a>(snapshot: &'a mut Snapshot, name: &str) -> &'a mut Vec<(Vec<u8>, f64)> {
    match stored(snapshot, name) {
        Stored::Zset(members) => members,
        other => panic!("{other:?}"),
    }
}

fn row(snapshot: &mut Snapshot) -> &mut serde_json::Map<String, Value> {
    &mut snapshot.tables.get_mut("failed_jobs").expect("the table")[0]
}

/// A change to an after-state.
type Change = fn(&mut Snapshot);

#[test]
fn equal_states_are_equal() {
    assert_eq!(judge(state()), [""; 0]);
}

#[test]
fn every_mutation_is_reported() {
    const RESERVED: &str = "p_queues:default:reserved";
    const DELAYED: &str = "p_queues:default:delayed";
    let mutations: &[(&str, Change, &str)] = &[
        ("an element is missing", |s| drop(list(s, QUEUE).pop()), "2 elements expected, 1 found"),
        ("an element is there twice", |s| list(s, QUEUE).push(job("u1", 0).into()), "unexpected"),
        ("the order is swapped", |s| list(s, QUEUE).swap(0, 1), "another order"),
        (
            "attempts are off by one",
            |s| list(s, QUEUE)[0] = job("u1", 1).into(),
            "attempts: 0 expected, 1 found",
        ),
        ("a token is missing", |s| drop(list(s, "p_queues:default:notify").pop()), "2 elements expected"),
        ("a token is left over", |s| list(s, "p_queues:default:notify").push(b"1".into()), "3 found"),
        ("a member is missing", |s| zset(s, RESERVED).clear(), "missing: {\"uuid\":\"u4\""),
        (
            "attempts of a member",
            |s| zset(s, RESERVED)[0].0 = job("u4", 2).into(),
            "attempts: 1 expected, 2 found",
        ),
        ("a score is 5 s late", |s| zset(s, RESERVED)[0].1 += 5.0, "score"),
        ("a score is 5 s early", |s| zset(s, DELAYED)[0].1 -= 5.0, "score"),
        ("a score is 3 s late", |s| zset(s, DELAYED)[0].1 += 3.0, "score"),
        ("a key is missing", |s| drop(s.keys.remove(&(0, DELAYED.to_owned()))), "missing"),
        (
            "a key is in another database",
            |s| {
                let key = s.keys.remove(&(0, QUEUE.to_owned())).expect("the key");
                s.keys.insert((1, QUEUE.to_owned()), key);
            },
            "unexpected",
        ),
        ("a key has another type", |s| *stored(s, QUEUE) = Stored::Text(b"x".to_vec()), "expected"),
        (
            "a lock expires early",
            |s| s.keys.get_mut(&(0, "p_lock".to_owned())).expect("it").expires = Some(START + 590.0),
            "expires",
        ),
        (
            "a lock never expires",
            |s| s.keys.get_mut(&(0, "p_lock".to_owned())).expect("it").expires = None,
            "expires",
        ),
        ("a lock has no owner", |s| *stored(s, "p_lock") = Stored::Text(b"".to_vec()), "expected"),
        (
            "a row is missing",
            |s| s.tables.get_mut("failed_jobs").expect("it").clear(),
            "1 rows expected, 0 found",
        ),
        (
            "a row too many",
            |s| {
                let extra = row(s).clone();
                s.tables.get_mut("failed_jobs").expect("it").push(extra)
            },
            "2 found",
        ),
        ("a row's queue", |s| row(s)["queue"] = json!("other"), "queue"),
        ("a row's payload", |s| row(s)["payload"] = json!(job("u5", 1)), "attempts: 0 expected, 1 found"),
        (
            "a row's exception",
            |s| row(s)["exception"] = json!("RuntimeException: bang in /x.php:1\nStack trace:"),
            "exception",
        ),
        ("a row's time", |s| row(s)["failed_at"] = json!("2027-01-15 08:00:05"), "failed_at"),
        ("a column is missing", |s| drop(row(s).remove("connection")), "connection"),
        ("a text changed", |s| list(s, QUEUE)[0] = job("u1", 0).replace("a\\/b", "a/c").into(), "data.path"),
        (
            "a field is gone",
            |s| list(s, QUEUE)[0] = job("u1", 0).replace(r#""x":[],"#, "").into(),
            "data.x is missing",
        ),
        (
            "a field is new",
            |s| list(s, QUEUE)[0] = job("u1", 0).replace("{\"uuid", "{\"delay\":1,\"uuid").into(),
            "delay is not",
        ),
        ("not JSON any more", |s| list(s, QUEUE)[0] = b"broken".to_vec(), "broken"),
    ];
    for (name, mutate, says) in mutations {
        let mut after = state();
        mutate(&mut after);
        let found = judge(after);
        assert!(found.iter().any(|line| line.contains(says)), "{name}: {says:?} expected in {found:#?}");
    }
}

#[test]
fn what_cannot_be_equal_is_forgiven() {
    let harmless: &[(&str, Change)] = &[
        ("cjson's hand", |s| {
            list(s, QUEUE)[0] =
                br#"{"attempts":0,"data":{"path":"a/b","n":1,"x":{}},"id":"id-u1","uuid":"u1"}"#.to_vec();
        }),
        ("ids made up on each side", |s| list(s, QUEUE)[0] = job("v1", 0).into()),
        ("a token below the second", |s| zset(s, "p_queues:default:reserved")[0].1 += 0.999),
        ("the next second", |s| zset(s, "p_queues:default:reserved")[0].1 += 1.0),
        ("another lock owner", |s| *stored(s, "p_lock") = Stored::Text(b"ponmlkjihgfedcba".to_vec())),
        ("another row number", |s| row(s)["id"] = json!(7)),
        ("another stack", |s| {
            row(s)["exception"] = json!("RuntimeException: boom in /other.php:3\nStack trace:\n#1")
        }),
    ];
    for (name, change) in harmless {
        let mut after = state();
        change(&mut after);
        assert_eq!(judge(after), [""; 0], "{name}");
    }
}

#[test]
fn an_id_known_before_is_not_forgiven() {
    let known = |after| Side { before: state(), ..side(after) };
    let mut after = state();
    list(&mut after, QUEUE)[0] = job("v1", 0).into();
    assert_ne!(differences(&known(state()), &known(after), Exceptions::Ignored), [""; 0]);
}

#[test]
fn sides_worked_at_different_times_are_the_same() {
    let mut later = state();
    zset(&mut later, "p_queues:default:delayed")[0].1 += 100.0;
    zset(&mut later, "p_queues:default:reserved")[0].1 += 100.0;
    later.keys.get_mut(&(0, "p_lock".to_owned())).expect("it").expires = Some(START + 700.0);
    row(&mut later)["failed_at"] = json!("2027-01-15 08:01:40");
    let later = Side { window: (START + 100.0, START + 100.2), ..side(later) };
    assert_eq!(differences(&side(state()), &later, Exceptions::Compared), [""; 0]);
}

#[test]
fn exceptions_are_compared_only_when_asked() {
    let mut other = state();
    row(&mut other)["exception"] = json!("panicked");
    assert_eq!(differences(&side(state()), &side(other), Exceptions::Ignored), [""; 0]);
}

#[test]
fn only_the_attempts_of_a_job_may_change() {
    let pushed = job("u1", 0).into_bytes();
    assert!(only_attempts_differ(&pushed, job("u1", 12).as_bytes()));
    assert!(!only_attempts_differ(&pushed, job("u2", 1).as_bytes()));
    assert!(!only_attempts_differ(&pushed, job("u1", 1).replace("[]", "{}").as_bytes()));
    assert!(only_attempts_differ(
        br#"{"attempts": "1", "attempts2":1}"#,
        br#"{"attempts": 2, "attempts2":1}"#
    ));
    let before = state();
    let mut after = state();
    list(&mut after, QUEUE)[0] = job("u1", 1).into();
    list(&mut after, QUEUE)[1] = job("u2", 1).replace("[]", "{}").into();
    assert_eq!(rewritten(&Side { before, ..side(after) }).len(), 1);
}

#[test]
fn rows_of_the_cache_are_compared_by_what_they_say() {
    let row = |value: &str, owner: &str, expiration: i64| {
        let row = json!({"key": "k", "value": value, "owner": owner, "expiration": expiration});
        let tables = [("cache".to_owned(), vec![row.as_object().expect("a row").clone()])];
        side(Snapshot { keys: [].into(), tables: tables.into() })
    };
    let judge = |a: &Side, b: &Side| differences(a, b, Exceptions::Compared).len();
    let expected = row("i:1800000000;", "abcdefghijklmnop", 1_800_003_600);
    assert_eq!(judge(&expected, &row("i:1800000001;", "ponmlkjihgfedcba", 1_800_003_601)), 0);
    assert_eq!(judge(&expected, &row("i:1800000009;", "someone", 1_800_003_609)), 3);
}

#[test]
fn of_a_closure_only_its_place_and_signature_may_differ() {
    let job = |code: &str, place: &str, hash: &str| {
        let closure = format!(
            r#"O:47:"Laravel\SerializableClosure\SerializableClosure":1:{{{code}s:4:"self";s:32:"{place:032}";}}";s:4:"hash";s:44:"{hash:44}";}}"#
        );
        let payload = json!({"data": {"command": closure}}).to_string().into_bytes();
        let key = Key { value: Stored::List(vec![payload]), expires: None };
        side(Snapshot { keys: [((0, QUEUE.to_owned()), key)].into(), tables: [].into() })
    };
    let judge = |a: &Side, b: &Side| differences(a, b, Exceptions::Compared).len();
    assert_eq!(judge(&job("one", "17", "ab"), &job("one", "3f", "cd")), 0);
    assert_ne!(judge(&job("one", "17", "ab"), &job("two", "17", "ab")), 0);
}
