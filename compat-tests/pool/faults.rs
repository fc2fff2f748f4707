//! What a PHP child, its job or its parent can do wrong, one test a fault: no job is lost, none runs twice, and the
//! parent goes on. Never a deploy (`deploy.rs`), never a second worker beside the pool (`shared.rs`).

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use serde_json::{Value, json};

use super::*;
use crate::support::proxy::Proxy;
use crate::support::snapshot::shift;
use crate::support::worker_binary;

const WAYS: [(&str, &str); 5] = [
    ("kill", "was ended by signal 9 (SIGKILL)"),
    ("segv", "was ended by signal 11 (SIGSEGV)"),
    ("exit", "exited with code 3"),
    ("memory", "Allowed memory size of"),
    ("loop", "App\\Jobs\\Crashes has been attempted too many times or run too long"),
];

#[test]
fn every_twentieth_of_a_thousand_jobs_takes_its_child_with_it() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let mut expected = BTreeSet::new();
    let (mut specs, mut doomed, mut spared) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
    for k in 0..50 {
        let (how, why) = WAYS[k % 5];
        let tries = 1 + k / 5 % 2;
        let called = format!("{how}-{k}");
        let with = if how == "loop" {
            json!({"tries": tries, "backoff": 0, "timeout": 1})
        } else {
            json!({"tries": tries, "backoff": 0})
        };
        specs.push(json!({"job": "Succeed", "args": [format!("s-{k}-%i")], "count": 19}));
        specs.push(json!({"job": "Crashes", "args": [called, 1, how], "with": with}));
        expected.extend((0..19).map(|i| format!("Succeed s-{k}-{i}")));
        expected.insert(format!("Crashes {called}"));
        match tries {
            1 => drop(doomed.insert(called, why)),
            _ => drop(spared.insert(format!("Crashes {called}"), 2)),
        }
    }
    app.push(&Value::Array(specs));
    let worker = start(&app, 4, &[]);
    wait_until("every job to be settled", || is_settled(&redis, &app, &["default"]));
    let log = stop(worker);

    assert_eq!(
        Account::of(&app.trace(), &expected),
        Account { recovered: spared, ..Account::default() },
        "{log}"
    );
    let rows = app.failed_rows();
    let mut told = BTreeMap::new();
    for row in &rows {
        let payload = row["payload"].as_str().unwrap();
        let called = doomed.keys().find(|called| payload.contains(&format!("\\\"{called}\\\"")));
        let called = called.unwrap_or_else(|| panic!("nobody's row: {payload}"));
        told.insert(called.clone(), row["exception"].as_str().unwrap());
    }
    assert_eq!((rows.len(), told.len()), (25, 25));
    for (called, why) in doomed {
        assert!(told[&called].contains(why), "{called}: {}", told[&called]);
        let class = if called.starts_with("loop") {
            "Illuminate\\Queue\\MaxAttempts"
        } else {
            "Handover\\JobCrashed: App\\Jobs\\Crashes: "
        };
        assert!(told[&called].starts_with(class), "{called}: {}", told[&called]);
    }
    assert_eq!(app.trace().iter().filter(|line| line.contains(" failed ")).count(), 25);
}

#[test]
fn a_parents_sudden_end_is_its_childs_too_and_its_job_runs_again_once() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "WaitsForGate", "args": ["g"], "with": {"tries": 3}}]));
    let worker = start(&app, 1, &[]);
    app.wait_for_trace("WaitsForGate g attempt 1 waits");
    let (child, _) = readied(&worker.stderr())[0];
    assert!(!is_gone(child));
    worker.signal("KILL");
    // The wait is shorter than the lease of 90 seconds.
    wait_until("the child to be gone", || is_gone(child));
    assert_eq!(worker.finish().code, 128 + 9);
    assert_eq!(length(&redis, "ZCARD", &app.key("queues:default:reserved")), 1);

    app.open_gate("g");
    shift(&redis, 100);
    let other = start(&app, 1, &[]);
    wait_until("the job to be settled", || is_settled(&redis, &app, &["default"]));
    stop(other);
    let again = [
        "WaitsForGate g attempt 1 waits",
        "WaitsForGate g attempt 2 waits",
        "WaitsForGate g attempt 2 passes",
    ];
    assert_eq!(app.trace(), again);
    assert_eq!(app.failed_rows().len(), 0);
}

#[test]
fn a_signal_to_the_whole_group_cuts_no_job() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "WaitsForGate", "args": ["g"]}]));
    let worker = start(&app, 1, &[]);
    app.wait_for_trace("WaitsForGate g attempt 1 waits");
    app.push(&json!([{"job": "Succeed", "args": ["left"]}]));
    worker.signal_group("TERM");
    wait_for_log(&worker, "taking no more jobs, waiting for 1 that run");
    app.open_gate("g");
    let end = worker.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_eq!(app.trace(), ["WaitsForGate g attempt 1 waits", "WaitsForGate g attempt 1 passes"]);
    assert_eq!(length(&redis, "LLEN", &app.key("queues:default")), 1);
    assert_eq!(length(&redis, "ZCARD", &app.key("queues:default:reserved")), 0);
    assert_eq!(app.failed_rows().len(), 0);
}

#[test]
fn a_job_that_settled_itself_before_its_crash_stays_as_it_settled() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let specs = WAYS.map(|(how, _)| {
        let with = json!({"tries": 3, "timeout": 1});
        json!([{"job": "Crashes", "args": [format!("d-{how}"), 9, how, "delete"], "with": with},
               {"job": "Crashes", "args": [format!("r-{how}"), 9, how, "release"], "with": with}])
    });
    specs.iter().for_each(|specs| app.push(specs));
    let worker = start(&app, 2, &[]);
    wait_until("ten crashes", || ended(&worker.stderr()).len() == 10);
    let delayed = app.key("queues:default:delayed");
    let members: Vec<(String, i64)> = redis.query(&["ZRANGE", &delayed, "0", "-1", "WITHSCORES"]);
    let log = stop(worker);

    let trace = app.trace();
    assert_eq!(trace.iter().filter(|line| line.ends_with("attempt 1")).count(), 10, "{trace:?} {log}");
    assert_eq!(members.len(), 5, "{log}");
    for (how, _) in WAYS {
        let at =
            trace.iter().find_map(|line| line.strip_prefix(&format!("Crashes r-{how} attempt 1 released ")));
        let (before, after) = at.and_then(|at| at.split_once(' ')).unwrap();
        let member = members.iter().find(|(member, _)| member.contains(&format!("r-{how}")));
        let score = member.unwrap().1 - 30;
        assert!(
            (before.parse().unwrap()..=after.parse().unwrap()).contains(&score),
            "{how}: {before} {score} {after}"
        );
    }
    assert_eq!(length(&redis, "LLEN", &app.key("queues:default")), 0);
    assert_eq!(length(&redis, "ZCARD", &app.key("queues:default:reserved")), 0);
    assert_eq!(app.failed_rows().len(), 0);
}

#[test]
fn an_app_that_does_not_boot_takes_no_job_until_it_is_mended() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "Succeed", "args": ["s-%i"], "count": 3}]));
    let list = app.key("queues:default");
    let before: Vec<String> = redis.query(&["LRANGE", &list, "0", "-1"]);

    // Broken for everybody: the worker itself cannot read its settings.
    let whole = std::fs::read_to_string(app.path("bootstrap/app.php")).unwrap();
    app.set_file("bootstrap/app.php", "<?php\nthrow new \\LogicException('half a deploy');\n");
    let end = start(&app, 2, &[]).finish();
    assert_eq!(end.code, 1, "{}", end.stderr);
    assert!(end.stderr.contains("half a deploy"), "{}", end.stderr);

    // Broken for the children alone.
    let broken = "<?php\nif (preg_grep('/^--queue=/', $_SERVER['argv'])) {\n    file_put_contents(dirname(__DIR__).'/storage/boots', 'x', FILE_APPEND);\n    throw new \\LogicException('no such host');\n}\n?>";
    app.set_file("bootstrap/app.php", &format!("{broken}{whole}"));
    let began = std::time::Instant::now();
    let worker = start(&app, 1, &[]);
    let boots = || std::fs::read(app.path("storage/boots")).map_or(0, |marks| marks.len());
    wait_until("three boots", || boots() >= 3);
    // A lower bound: pauses of one second and of two lie between them.
    assert!(began.elapsed().as_secs_f64() >= 3.0);
    let after: Vec<String> = redis.query(&["LRANGE", &list, "0", "-1"]);
    assert_eq!(before, after, "popped bytes, first order");
    assert_eq!(length(&redis, "ZCARD", &format!("{list}:reserved")), 0);
    app.set_file("bootstrap/app.php", &whole);
    wait_until("the jobs to be settled", || is_settled(&redis, &app, &["default"]));
    let log = stop(worker);
    let told: Vec<_> = lines(&log, "the app does not boot").collect();
    assert_eq!(told.len(), 1, "{log}");
    assert!(log.contains("no such host"), "{log}");
    assert_eq!(app.trace(), [0, 1, 2].map(|n| format!("Succeed s-{n} attempt 1")));
}

#[test]
fn floods_and_half_lines_disturb_nobody() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "Prints", "args": ["lines", 50 << 20, "a line of a flood\n"]},
                     {"job": "Prints", "args": ["one", 50 << 20, "x"]},
                     {"job": "Prints", "args": ["half", 5, "half "]},
                     {"job": "Crashes", "args": ["kill"]},
                     {"job": "Succeed", "args": ["s"]}]));
    let worker = start(&app, 1, &[]);
    wait_until("the jobs to be settled", || is_settled(&redis, &app, &["default"]));
    let log = stop(worker);
    let trace = app.trace();
    let ran = [
        "Prints lines attempt 1",
        "Prints one attempt 1",
        "Prints half attempt 1 printed 5",
        "Crashes kill attempt 1",
        "Crashes kill failed",
        "Succeed s attempt 1",
    ];
    assert_eq!(trace.len(), ran.len(), "{trace:?}");
    for (line, start) in trace.iter().zip(ran) {
        assert!(line.starts_with(start), "{trace:?}");
    }
    assert!(log.contains("more lines were not logged"));
    assert!(log.contains("php: half"), "half a line is logged when its writer has ended");
    // Two jobs' thousand lines of at most four kilobytes.
    assert!(log.len() < 10 << 20, "{} bytes", log.len());
}

#[test]
fn what_breaks_the_protocol_costs_its_writer_its_process_and_nobody_else() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let frame = |json: &str, body: u32| {
        [&(json.len() as u32).to_be_bytes()[..], &body.to_be_bytes(), json.as_bytes()].concat()
    };
    let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let killed = [
        ("noise", vec![0xff; 4096]),
        ("no-json", frame("O:8:\"stdClass\":0:{}", 0)),
        ("unknown", frame(r#"{"say":"shutdown"}"#, 0)),
        ("negative", frame(r#"{"say":"released","token":-1,"at":0}"#, 0)),
        ("a-body", frame(r#"{"say":"ask"}"#, 1 << 30)),
        ("long-head", [[0, 4, 0, 1], [0; 4]].concat()),
    ];
    for (name, bytes) in &killed {
        app.push(&json!([{"job": "Hostile", "args": [name, base64(bytes)]},
                         {"job": "Succeed", "args": [format!("after-{name}")]}]));
    }
    let half = frame(r#"{"say":"deleted","token":0}"#, 0);
    // What is said of another's job is nothing, though it is well formed.
    let forged: Vec<u8> =
        (1000..1020).flat_map(|token| frame(&format!(r#"{{"say":"deleted","token":{token}}}"#), 0)).collect();
    app.push(&json!([{"job": "Hostile", "args": ["half", base64(&half[..12]), "exit"]},
                     {"job": "Hostile", "args": ["unfinished", base64(&half[..12])], "with": {"timeout": 1}},
                     {"job": "Hostile", "args": ["forged", base64(&forged), "go on"]},
                     {"job": "Hostile", "args": ["shut", "", "shut"]},
                     {"job": "Hostile", "args": ["again", base64(&[0xff; 8])], "with": {"tries": 2, "backoff": 0}}]));
    let worker = start(&app, 2, &[]);
    wait_until("the jobs to be settled", || is_settled(&redis, &app, &["default"]));
    let log = stop(worker);

    let names = killed.iter().map(|(name, _)| *name);
    let mut expected: BTreeSet<String> = names.clone().map(|name| format!("Succeed after-{name}")).collect();
    let others = ["half", "unfinished", "forged", "shut", "again"];
    expected.extend(names.clone().chain(others).map(|name| format!("Hostile {name}")));
    let recovered = BTreeMap::from([("Hostile again".to_owned(), 2)]);
    assert_eq!(Account::of(&app.trace(), &expected), Account { recovered, ..Account::default() }, "{log}");
    let rows = app.failed_rows();
    let mut why: BTreeMap<&str, &str> = names.map(|name| (name, "was ended by signal 9 (SIGKILL)")).collect();
    // One may be killed for its half frame before its own exit is through.
    why.extend([("half", "its PHP process "), ("unfinished", "has been attempted too many times")]);
    assert_eq!(rows.len(), why.len(), "{log}");
    for (name, why) in why {
        let name = format!("\\\"{name}\\\"");
        let row = rows.iter().find(|row| row["payload"].as_str().unwrap().contains(&name));
        let told = row.unwrap_or_else(|| panic!("{name}: {log}"))["exception"].as_str().unwrap();
        assert!(told.contains(why), "{name}: {told}");
    }
    // Those six, the half of one and the one that was run again.
    assert_eq!(lines(&log, "a PHP child broke the protocol and is ended").count(), 9, "{log}");
}

#[test]
fn a_job_that_turned_its_alarm_off_is_ended_by_the_parent() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "Crashes", "args": ["deaf", 1, "deaf"], "with": {"timeout": 1}},
                     {"job": "Crashes", "args": ["deaf-again", 1, "deaf"], "with": {"timeout": 1, "tries": 2, "backoff": 0}},
                     {"job": "Succeed", "args": ["s"]}]));
    let worker = start(&app, 2, &[]);
    wait_until("the jobs to be settled", || is_settled(&redis, &app, &["default"]));
    let log = stop(worker);
    let expected = ["Crashes deaf", "Crashes deaf-again", "Succeed s"].map(str::to_owned).into();
    let recovered = BTreeMap::from([("Crashes deaf-again".to_owned(), 2)]);
    assert_eq!(Account::of(&app.trace(), &expected), Account { recovered, ..Account::default() }, "{log}");
    let rows = app.failed_rows();
    assert_eq!(rows.len(), 1);
    let told = rows[0]["exception"].as_str().unwrap();
    assert!(told.contains("has been attempted too many times or run too long"), "{told}");
}

#[test]
fn a_crash_while_the_worker_drains_is_failed_by_the_app_before_its_end() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "Crashes", "args": ["a", 1, "kill", "wait"]}, {"job": "Crashes", "args": ["b", 1, "exit", "wait"]}]));
    let worker = start(&app, 2, &[]);
    app.wait_for_trace("Crashes a attempt 1");
    app.wait_for_trace("Crashes b attempt 1");
    worker.signal_group("TERM");
    wait_for_log(&worker, "taking no more jobs, waiting for 2 that run");
    app.open_gate("a");
    app.open_gate("b");
    let end = worker.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert!(is_settled(&redis, &app, &["default"]));
    let failed =
        app.trace().into_iter().filter(|line| line.contains(" failed Handover\\JobCrashed: ")).count();
    assert_eq!((failed, app.failed_rows().len()), (2, 2), "{}", end.stderr);
}

#[test]
fn children_above_their_memory_are_replaced_after_the_job() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "EatsMemory", "args": ["e-%i", 140], "count": 6}, {"job": "Succeed", "args": ["s-%i"], "count": 6}]));
    let worker = start(&app, 2, &[]);
    wait_until("the jobs to be settled", || is_settled(&redis, &app, &["default"]));
    wait_until("six ends", || ended(&worker.stderr()).len() == 6);
    let log = stop(worker);
    let expected = (0..6).flat_map(|n| [format!("EatsMemory e-{n}"), format!("Succeed s-{n}")]).collect();
    assert_eq!(Account::of(&app.trace(), &expected), Account::default(), "{log}");
    assert_eq!(lines(&log, "exited with code 12").count(), 6, "{log}");
    assert_eq!(app.failed_rows().len(), 0);
}

#[test]
fn a_php_job_without_a_free_child_waits_at_its_queues_head_and_native_jobs_go_on() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "WaitsInPhp", "args": ["g"]}]));
    let proxy = Proxy::new(&redis);
    let mut command = app.command(worker_binary());
    command
        .args(["--sleep=60", "--php=1", "--concurrency=4", "--queue=default,other"])
        .arg(format!("--redis={}", proxy.url(0)))
        .env("RUST_LOG", "debug");
    let worker = Running::start(command);
    app.wait_for_trace("WaitsInPhp g attempt 1 waits");
    // A native job behind them may overtake them, as it would with a second PHP worker.
    app.push(
        &json!([{"job": "Carries", "args": ["c-%i", 1], "count": 2}, {"job": "Succeed", "args": ["behind"]},
                     {"job": "Succeed", "args": ["n-%i"], "queue": "other", "count": 40}]),
    );
    let ran = |start: &str| app.trace().iter().filter(|line| line.starts_with(start)).count();
    wait_until("native jobs to run", || ran("Succeed n-") == 40);
    wait_until("the queue to wait in its first order", || {
        let now: Vec<String> = redis.query(&["LRANGE", &app.key("queues:default"), "0", "-1"]);
        let fresh = now.iter().all(|raw| raw.contains("\"attempts\":0"));
        now.len() >= 2 && now[0].contains("c-0") && now[1].contains("c-1") && fresh
    });
    app.push(&json!([{"job": "Succeed", "args": ["m-%i"], "queue": "other", "count": 5}]));
    wait_until("more native jobs to run", || ran("Succeed m-") == 5);
    assert_eq!(ran("Carries"), 0);
    // A queue that waits for a child asks Redis next to nothing meanwhile, though it has jobs and wake-up tokens: one
    // look a second at its head.
    let before = proxy.scripts("settled, jobs, aside");
    std::thread::sleep(std::time::Duration::from_secs(1));
    let calls = proxy.scripts("settled, jobs, aside") - before;
    assert!(calls <= 10, "{calls} calls in a second");
    app.open_gate("g");
    wait_until("the jobs to be settled", || is_settled(&redis, &app, &["default", "other"]));
    let log = stop(worker);
    let carried: Vec<_> = app.trace().into_iter().filter(|line| line.starts_with("Carries")).collect();
    assert_eq!(carried, ["Carries c-0 attempt 1 int", "Carries c-1 attempt 1 int"], "{log}");
    assert_eq!(ran("Succeed behind attempt 1"), 1);
}

#[test]
fn an_orderly_end_leaves_no_process_and_no_directory() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "Crashes", "args": ["kill"], "with": {"tries": 2, "backoff": 0}}, {"job": "Succeed", "args": ["s-%i"], "count": 20}]));
    let folder = tempfile::tempdir().unwrap();
    let mut command = pooled(&app, &["--php=3"]);
    command.env("RUST_LOG", "debug").env("TMPDIR", folder.path());
    let worker = Running::start(command);
    wait_until("every job to be settled", || is_settled(&redis, &app, &["default"]));
    wait_until("a replacement", || readied(&worker.stderr()).len() == 4);
    let log = stop(worker);
    let pids: BTreeSet<u32> = readied(&log).into_iter().map(|(pid, _)| pid).collect();
    assert_eq!(pids.len(), 4, "{log}");
    assert!(pids.iter().all(|pid| is_gone(*pid)), "{log}");
    assert_eq!(named(folder.path(), "handover-"), [""; 0]);
}

#[test]
fn a_paused_pool_takes_nothing_until_it_is_continued() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "WaitsForGate", "args": ["g"]}]));
    let worker = start(&app, 2, &[]);
    app.wait_for_trace("WaitsForGate g attempt 1 waits");
    wait_until_up(&worker, 2);
    worker.signal("USR2");
    wait_for_log(&worker, "paused: no job is taken");
    app.push(&json!([{"job": "Succeed", "args": ["s-%i"], "count": 4}]));
    // The one that ran ends, and nothing follows it.
    app.open_gate("g");
    wait_until("the first to be settled", || {
        length(&redis, "ZCARD", &app.key("queues:default:reserved")) == 0
    });
    assert_eq!(length(&redis, "LLEN", &app.key("queues:default")), 4);
    assert_eq!(app.trace().len(), 2);
    worker.signal("CONT");
    wait_until("the others to be settled", || is_settled(&redis, &app, &["default"]));
    stop(worker);
    assert_eq!(app.trace().len(), 6);
}

#[test]
fn children_are_replaced_after_their_share_without_a_gap() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "Sleeps", "args": ["s-%i", 0.02], "count": 60}]));
    let worker = start(&app, 2, &["--php-max-jobs=5"]);
    wait_until("every job to be settled", || is_settled(&redis, &app, &["default"]));
    wait_until("both first children to be replaced", || ended(&worker.stderr()).len() >= 2);
    // The worker's own end takes children down as well: only what was before counts.
    let log = worker.stderr();
    stop(worker);
    assert!(up_since(&log, 2).iter().all(|up| *up >= 2), "{log}");
    assert_eq!(app.trace().iter().filter(|line| line.ends_with("attempt 1 ends")).count(), 60);
    assert_eq!(app.failed_rows().len(), 0);
}

#[test]
fn a_worker_that_is_ended_soon_says_nothing_against_its_app() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "WaitsForGate", "args": ["g"]}]));
    let worker = start(&app, 2, &[]);
    app.wait_for_trace("WaitsForGate g attempt 1 waits");
    wait_until_up(&worker, 2);
    worker.signal("TERM");
    // The idle one leaves at once, soon after its start and without ever having had a job.
    wait_for_log(&worker, "exited with code 0");
    app.open_gate("g");
    let end = worker.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert!(!end.stderr.contains("does not boot"), "{}", end.stderr);
}

#[test]
fn a_job_for_a_child_that_stands_still_goes_to_another() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let worker = start(&app, 1, &[]);
    wait_until_up(&worker, 1);
    let (pid, _) = readied(&worker.stderr())[0];
    let stop_it = format!("kill -s STOP {pid}");
    assert_eq!(std::process::Command::new("sh").args(["-c", &stop_it]).status().unwrap().code(), Some(0));
    app.push(&json!([{"job": "Succeed", "args": ["s"]}]));
    app.wait_for_trace("Succeed s attempt 1");
    wait_until("the job to be settled", || is_settled(&redis, &app, &["default"]));
    assert!(is_gone(pid));
    stop(worker);
    assert_eq!(app.trace(), ["Succeed s attempt 1"], "no attempt was spent");
}

#[test]
fn a_worker_with_children_stops_although_redis_is_gone() {
    let mut redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "Sleeps", "args": ["s-%i", 0.3], "count": 20, "with": {"tries": 5}}]));
    let worker = start(&app, 2, &["--grace=2"]);
    app.wait_for_trace("Sleeps s-1 attempt 1 starts");
    redis.kill();
    wait_for_log(&worker, "trying again");
    let log = stop(worker);
    assert!(log.contains("Redis is not there"), "{log}");
}

#[test]
fn what_only_runs_what_there_is_ends_in_maintenance_as_queue_work_does() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "Succeed", "args": ["s-%i"], "count": 3}]));
    app.set_file("storage/framework/down", "{\"retry\":60}");
    for flag in ["--once", "--stop-when-empty", "--stop-when-empty-for=1"] {
        let end = Running::start(pooled(&app, &[flag])).finish();
        assert_eq!((end.code, app.trace().len()), (0, 0), "{flag}: {}", end.stderr);
    }
    let end = Running::start(pooled(&app, &["--stop-when-empty", "--force"])).finish();
    assert_eq!((end.code, app.trace().len()), (0, 3), "{}", end.stderr);
}

#[test]
fn a_failed_method_that_never_ends_keeps_neither_the_row_nor_the_worker() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "FailsForever", "args": ["f"], "with": {"timeout": 1}}, {"job": "Succeed", "args": ["s"]}]));
    let worker = start(&app, 1, &[]);
    app.wait_for_trace("Succeed s attempt 1");
    wait_until("the jobs to be settled", || is_settled(&redis, &app, &["default"]));
    let rows = app.failed_rows();
    let log = stop(worker);
    assert_eq!(rows.len(), 1, "{log}");
    assert!(
        rows[0]["exception"].as_str().unwrap().contains("was ended by signal 9 (SIGKILL)"),
        "{}",
        rows[0]
    );
}
