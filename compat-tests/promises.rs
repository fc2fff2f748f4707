//! The promises under a signal, a cut line and a long wait: a real worker process, a real Redis, a real Laravel. Never
//! kills a worker: that is in `faults/killed.rs`, for every framework.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::differential::{handover, php};
use crate::support::laravel::App;
use crate::support::process::{Running, wait_until};
use crate::support::proxy::{Fault, Proxy, When};
use crate::support::redis::Redis;

fn start(app: &App, flags: &[&str]) -> Running {
    Running::start(handover(app, flags))
}

fn length(redis: &Redis, command: &str, key: &str) -> usize {
    redis.query(&[command, key])
}

/// How often each line stands in the trace.
fn counted(app: &App) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    app.trace().into_iter().for_each(|line| *counts.entry(line).or_default() += 1);
    counts
}

fn started(app: &App, attempt: u32) -> usize {
    app.trace().iter().filter(|line| line.ends_with(&format!("attempt {attempt} waits"))).count()
}

#[test]
fn a_reserve_whose_answer_is_cut_off_costs_no_attempt() {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    let app = App::new(&redis);
    app.push(&json!([{"job": "Succeed", "args": ["s-%i"], "count": 64}]));
    proxy.arm(When::script("settled, jobs, aside"), Fault::CutAfter);
    let url = proxy.url(0);
    let end = start(&app, &["--stop-when-empty", "--tries=1", "--concurrency=64", &format!("--redis={url}")])
        .finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_eq!(proxy.fired(), 1, "{:?}", proxy.counts());
    let counts = counted(&app);
    for n in 0..64 {
        assert_eq!(counts.get(&format!("Succeed s-{n} attempt 1")), Some(&1), "{}", end.stderr);
    }
    assert_eq!(app.failed_rows().len(), 0);
}

#[test]
fn a_job_that_fails_after_its_lease_was_lost_leaves_its_slot() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "WaitsForGate", "args": ["g"], "with": {"timeout": 1}}]));
    let worker = start(&app, &["--concurrency=1"]);
    wait_until("it runs", || started(&app, 1) == 1);
    assert_eq!(length(&redis, "DEL", &app.key("queues:default:reserved")), 1);
    app.push(&json!([{"job": "Succeed", "args": ["next"]}]));
    app.wait_for_trace("Succeed next attempt 1");
    worker.signal("TERM");
    let end = worker.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert!(end.stderr.contains("the reservation was lost"), "{}", end.stderr);
    assert_eq!(app.failed_rows().len(), 0);
}

#[test]
fn pushes_start_without_a_poll_having_fired() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let mut command = handover(&app, &["--sleep=60"]);
    command.env("RUST_LOG", "debug");
    let worker = Running::start(command);
    wait_until("the worker waits", || {
        let clients: String = redis.query(&["CLIENT", "LIST"]);
        clients.contains("cmd=blpop")
    });
    // The payload as the app pushes it; its own script then pushes it again at random moments, so that two hundred
    // pushes take seconds: some find the worker waiting, some about to wait, some busy.
    app.push(&json!([{"job": "Succeed", "args": ["w"]}]));
    wait_until("the first ran", || app.trace().len() == 1);
    let list = app.key("queues:elsewhere");
    app.push(&json!([{"job": "Succeed", "args": ["w-%i"], "count": 199, "queue": "elsewhere"}]));
    let payloads: Vec<Vec<u8>> = redis.query(&["LRANGE", &list, "0", "-1"]);
    let mut connection = redis.connect(0);
    for (n, payload) in payloads.iter().enumerate() {
        let ready = app.key("queues:default");
        let () = redis::pipe()
            .rpush(&ready, payload)
            .ignore()
            .rpush(format!("{ready}:notify"), 1)
            .ignore()
            .query(&mut connection)
            .unwrap();
        // Pauses without a pattern, from none to 20 ms: the moment of the push is what is tried here.
        std::thread::sleep(std::time::Duration::from_micros((n as u64 * 7919) % 20_000));
    }
    wait_until("all jobs ran", || app.trace().len() == 200);
    worker.signal("TERM");
    let end = worker.finish();
    assert_eq!(end.code, 0);
    assert!(!end.stderr.contains("the poll timer fired"), "{}", end.stderr);
}

#[test]
fn ten_jobs_are_renewed_in_one_call_per_third_of_a_lease() {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    let mut app = App::new(&redis);
    app.set_env("REDIS_QUEUE_RETRY_AFTER", "3");
    app.push(&json!([{"job": "WaitsForGate", "args": ["r-%i"], "count": 10}]));
    let url = proxy.url(0);
    let mut command = handover(&app, &["--concurrency=10", "--timeout=0", &format!("--redis={url}")]);
    command.env("RUST_LOG", "debug");
    let began = std::time::Instant::now();
    let worker = Running::start(command);
    wait_until("five renewals", || worker.stderr().matches("reservations renewed").count() >= 5);
    // One call a second at most; the clock is read later than the count, so a slow machine only widens the bound.
    let calls = proxy.scripts("Moves the expiry");
    let most = began.elapsed().as_secs() as usize + 1;
    assert!((5..=most).contains(&calls), "{calls} calls, {most} at most");
    (0..10).for_each(|n| app.open_gate(&format!("r-{n}")));
    wait_until("ten jobs passed", || {
        app.trace().iter().filter(|line| line.ends_with("passes")).count() == 10
    });
    worker.signal("TERM");
    let end = worker.finish();
    let renewals = end.stderr.lines().filter(|line| line.contains("reservations renewed"));
    assert!(renewals.clone().all(|line| line.contains("jobs=10")), "{}", end.stderr);
}

#[test]
fn row_54_idle_polls_are_a_sleep_apart() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let mut command = handover(&app, &["--sleep=0.5"]);
    command.env("RUST_LOG", "debug");
    let began = std::time::Instant::now();
    let worker = Running::start(command);
    wait_until("four polls", || worker.stderr().matches("the poll timer fired").count() >= 4);
    let polls = worker.stderr().matches("the poll timer fired").count();
    assert!(polls as f64 <= began.elapsed().as_secs_f64() / 0.5, "{polls} polls");
    worker.signal("TERM");
    assert_eq!(worker.finish().code, 0);
}

#[test]
fn row_66_an_exception_is_written_as_php_writes_it() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "ThrowsAlways", "args": ["a", "boom"], "count": 2}]));
    assert_eq!(app.queue_work(&["--once"]).code, 0);
    assert_eq!(start(&app, &["--once"]).finish().code, 0);
    for row in app.failed_rows() {
        let text = row["exception"].as_str().unwrap();
        let (head, stack) = text.split_once("\nStack trace:\n#0 ").unwrap_or_else(|| panic!("{text}"));
        let (what, place) = head.split_once(" in ").unwrap_or_else(|| panic!("{text}"));
        assert_eq!(what, "RuntimeException: boom");
        let (file, line) = place.rsplit_once(':').unwrap();
        assert!(!file.is_empty() && line.parse::<u32>().is_ok(), "{place}");
        assert!(stack.ends_with("{main}"), "{stack}");
    }
    assert_eq!(app.failed_rows().len(), 2);
}

#[test]
fn a_backlog_is_told_on_a_terminal() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "Succeed", "args": ["s-%i"], "count": 40}]));
    let words = handover(&app, &["--stop-when-empty", "--quiet"]);
    let words: Vec<String> = words.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
    // `script` gives the worker a terminal; the words after setpriv's own are the worker's.
    let worker = words.iter().position(|word| word == "--").unwrap() + 1;
    let mut command = app.command("script");
    command
        .args(["-qefc", &words[worker..].join(" "), "/dev/null"])
        .env("TERM", "xterm")
        .env("RUST_LOG", "warn");
    let end = Running::start(command).finish();
    assert_eq!(end.code, 0, "{}", end.stdout);
    assert!(end.stdout.contains(" left, ") && end.stdout.contains(" done, 0 failed"), "{:?}", end.stdout);
    assert_eq!(app.trace().len(), 40);
}

#[test]
fn a_job_longer_than_five_leases_runs_once_beside_two_php_workers() {
    let redis = Redis::start();
    let mut app = App::new(&redis);
    app.set_env("REDIS_QUEUE_RETRY_AFTER", "2");
    app.push(&json!([{"job": "WaitsForGate", "args": ["long-%i"], "count": 10, "with": {"tries": 5}}]));
    let mut command = handover(&app, &["--concurrency=10", "--timeout=0"]);
    command.env("RUST_LOG", "debug");
    let worker = Running::start(command);
    wait_until("ten jobs run", || started(&app, 1) == 10);
    let others = [0, 1].map(|_| Running::start(php(&app, &["--sleep=0.1", "--timeout=0"])));
    // Sixteen thirds of a lease have been renewed: more than five leases have passed.
    wait_until("sixteen renewals", || worker.stderr().matches("reservations renewed").count() >= 16);
    (0..10).for_each(|n| app.open_gate(&format!("long-{n}")));
    wait_until("ten jobs passed", || {
        app.trace().iter().filter(|line| line.ends_with("passes")).count() == 10
    });
    worker.signal("TERM");
    let end = worker.finish();
    others.iter().for_each(|other| other.signal("TERM"));
    others.into_iter().for_each(|other| drop(other.finish()));
    assert_eq!(app.trace().len(), 20, "each job started once and ended once: {:?}", app.trace());
    assert!(end.stderr.contains("reservations renewed") && end.stderr.contains("jobs=10"), "{}", end.stderr);
    assert_eq!(length(&redis, "ZCARD", &app.key("queues:default:reserved")), 0);
}

#[test]
fn a_class_that_nobody_handles_is_left_to_php_untouched() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "Overlaps", "args": ["c"]}]));
    let list = app.key("queues:default");
    let before: Vec<Vec<u8>> = redis.query(&["LRANGE", &list, "0", "-1"]);
    let worker = start(&app, &[]);
    wait_until("it is handed back", || worker.stderr().contains("no handler takes [App\\Jobs\\Overlaps]"));
    worker.signal("TERM");
    assert_eq!(worker.finish().code, 0);
    assert_eq!(redis.query::<Vec<Vec<u8>>>(&["LRANGE", &list, "0", "-1"]), before);
    assert_eq!(length(&redis, "LLEN", &format!("{list}:notify")), 1);
    assert_eq!(app.queue_work(&["--once"]).code, 0);
    assert!(app.trace()[0].starts_with("Overlaps c attempt 1"), "{:?}", app.trace());
}

#[test]
fn row_43_a_timeout_that_is_final_and_one_that_is_not() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "WaitsForGate", "args": ["final"], "with": {"timeout": 1, "tries": 3, "failOnTimeout": true}},
                     {"job": "WaitsForGate", "args": ["again"], "with": {"timeout": 1, "tries": 3}}]));
    let end = start(&app, &["--max-jobs=2"]).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let rows = app.failed_rows();
    assert_eq!(rows.len(), 1);
    assert!(
        rows[0]["exception"]
            .as_str()
            .unwrap()
            .contains("App\\Jobs\\WaitsForGate has been attempted too many times")
    );
    assert_eq!(length(&redis, "ZCARD", &app.key("queues:default:delayed")), 1);
    assert!(app.trace().iter().all(|line| !line.ends_with("passes")));
}

#[test]
fn row_51_memory_above_the_limit_ends_with_12_after_the_job() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "EatsMemory", "args": ["e", 200]}, {"job": "Succeed", "args": ["left"]}]));
    let end = start(&app, &["--memory=150", "--concurrency=1"]).finish();
    assert_eq!(end.code, 12, "{}", end.stderr);
    assert_eq!(app.trace(), ["EatsMemory e attempt 1"]);
}

#[test]
fn row_56_a_paused_worker_takes_nothing_until_it_is_continued() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let worker = start(&app, &[]);
    worker_is_waiting(&redis);
    worker.signal("USR2");
    wait_until("it is paused", || worker.stderr().contains("paused"));
    app.push(&json!([{"job": "Succeed", "args": ["a"]}]));
    let list = app.key("queues:default");
    assert_eq!(length(&redis, "LLEN", &list), 1);
    worker.signal("CONT");
    app.wait_for_trace("Succeed a attempt 1");
    worker.signal("TERM");
    assert_eq!(worker.finish().code, 0);
}

fn worker_is_waiting(redis: &Redis) {
    wait_until("the worker waits", || redis.query::<String>(&["CLIENT", "LIST"]).contains("cmd=blpop"));
}

#[test]
fn rows_89_to_93_job_lines_and_json() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "Succeed", "args": ["a"]}, {"job": "ThrowsAlways", "args": ["b", "boom"]}]));
    let end = start(&app, &["--stop-when-empty", "--json", "--concurrency=1"]).finish();
    let lines: Vec<serde_json::Value> =
        end.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said: Vec<_> =
        lines.iter().map(|line| (line["job"].as_str().unwrap(), line["status"].as_str().unwrap())).collect();
    assert_eq!(
        said,
        [
            ("App\\Jobs\\Succeed", "starting"),
            ("App\\Jobs\\Succeed", "success"),
            ("App\\Jobs\\ThrowsAlways", "starting"),
            ("App\\Jobs\\ThrowsAlways", "failed")
        ]
    );
    assert!(lines[1].get("exception").is_none() && lines[1].get("duration").is_some());
    assert_eq!((&lines[3]["result"], &lines[3]["message"]), (&json!("deleted"), &json!("boom")));

    app.push(&json!([{"job": "Succeed", "args": ["a"]}, {"job": "ThrowsAlways", "args": ["b"], "with": {"tries": 2, "backoff": 60}}]));
    let end = start(&app, &["--stop-when-empty", "--concurrency=1"]).finish();
    let ends: Vec<_> = end.stdout.lines().map(|line| line.rsplit(' ').next().unwrap()).collect();
    assert_eq!(ends, ["RUNNING", "DONE", "RUNNING", "FAIL"], "{}", end.stdout);
    assert!(end.stdout.lines().nth(1).unwrap().contains("ms DONE"), "{}", end.stdout);
    assert_eq!(app.failed_rows().len(), 1, "the second FAIL was a release");
}

#[test]
fn row_50_max_time_lets_the_running_job_end() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "WaitsForGate", "args": ["g"]}]));
    let worker = start(&app, &["--max-time=1"]);
    wait_until("it takes no more jobs", || worker.stderr().contains("taking no more jobs"));
    app.push(&json!([{"job": "Succeed", "args": ["left"]}]));
    app.open_gate("g");
    assert_eq!(worker.finish().code, 0);
    assert_eq!(app.trace(), ["WaitsForGate g attempt 1 waits", "WaitsForGate g attempt 1 passes"]);
    assert_eq!(length(&redis, "LLEN", &app.key("queues:default")), 1);
}

#[test]
fn row_95_a_redis_that_is_gone_is_asked_again_until_it_is_back() {
    let mut redis = Redis::start();
    let app = App::new(&redis);
    let worker = start(&app, &["--sleep=0.1"]);
    worker_is_waiting(&redis);
    redis.kill();
    wait_until("it is told", || worker.stderr().contains("trying again"));
    redis.restart();
    app.push(&json!([{"job": "Succeed", "args": ["after"]}]));
    app.wait_for_trace("Succeed after attempt 1");
    worker.signal("TERM");
    let end = worker.finish();
    assert_eq!(end.code, 0);
    assert!(end.stderr.contains("Redis answers again"), "{}", end.stderr);
}

#[test]
fn row_18_an_idle_worker_wakes_within_the_block() {
    let redis = Redis::start();
    let mut app = App::new(&redis);
    app.set_env("REDIS_QUEUE_BLOCK_FOR", "5");
    let worker = start(&app, &["--sleep=60"]);
    worker_is_waiting(&redis);
    app.push(&json!([{"job": "Succeed", "args": ["woken"]}]));
    app.wait_for_trace("Succeed woken attempt 1");
    worker.signal("TERM");
    assert_eq!(worker.finish().code, 0);
    assert_eq!(length(&redis, "LLEN", &app.key("queues:default:notify")), 0);
}

#[test]
fn row_53_a_slot_rests_after_a_job() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "Succeed", "args": ["s-%i"], "count": 3}]));
    let began = std::time::Instant::now();
    let end = start(&app, &["--stop-when-empty", "--concurrency=1", "--rest=0.4"]).finish();
    assert_eq!(end.code, 0);
    assert_eq!(app.trace().len(), 3);
    // A lower bound: two rests lie between three jobs, however fast the machine is.
    assert!(began.elapsed().as_secs_f64() >= 0.8);
}

#[test]
fn an_idle_worker_uses_no_processor() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let worker = start(&app, &["--sleep=3"]);
    worker_is_waiting(&redis);
    // Processor time of the process, in hundredths of a second, counted by the kernel: it does not grow with the load
    // of the machine.
    let used = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", worker.pid())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = used();
    std::thread::sleep(std::time::Duration::from_secs(10));
    let spent = used() - before;
    worker.signal("TERM");
    assert_eq!(worker.finish().code, 0);
    assert!(spent <= 10, "{spent} hundredths of a second in 10 s");
}

#[test]
fn inspect_names_what_was_set_aside_and_clear_leaves_it() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"raw": "no job at all"}, {"raw_base64": "AAAAAhQBEQNqb2IGAA=="}, {"raw": "a:1:{s:8:\"attempts\";i:0;}"},
                     {"raw": ""}, {"raw": "[1]"}, {"raw": "{\"job\":\"A@b\"}"}, {"job": "Succeed", "args": ["a"]}]));
    let end = start(&app, &["--max-jobs=1"]).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    app.push(&json!([{"job": "Succeed", "args": ["b"]}]));
    let binary = env!("CARGO_BIN_EXE_handover");
    let run = |words: &[&str]| {
        let mut command = app.command(binary);
        command.args(words);
        Running::start(command).finish()
    };
    let shown = run(&["queue:inspect"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    for told in [
        "quarantined: 6\n    \"no job at all\" (13 bytes)",
        "\"\\x00\\x00\\x00\\x02\\x14\\x01\\x11\\x03job\\x06\\x00\" (13 bytes)",
        "\"a:1:{s:8:\\\"attempts\\\";i:0;}\" (25 bytes)",
        "\"\" (0 bytes)",
        "\"[1]\" (3 bytes)",
        "\"{\\\"job\\\":\\\"A@b\\\"}\" (13 bytes)",
    ] {
        assert!(shown.stdout.contains(told), "{told}: {}", shown.stdout);
    }
    assert!(shown.stdout.contains("App\\Jobs\\Succeed attempts 0"), "{}", shown.stdout);
    assert_eq!(run(&["queue:clear"]).stdout, "Cleared 1 job from the [default] queue\n");
    assert_eq!(length(&redis, "LLEN", &app.key("queues:default:quarantine")), 6);
    let told = run(&["queue:work"]);
    assert_eq!(told.code, 1);
    assert!(
        told.stderr.contains("this binary has no handlers") && told.stderr.contains("hint:"),
        "{}",
        told.stderr
    );
}

/// A job of a class that only the worker under test knows.
fn native(class: &str, name: &str, more: &str) -> serde_json::Value {
    let head = format!(r#"{{"displayName":"{class}","job":"{class}@handle","data":{{"name":"{name}"}}"#);
    json!({"raw": format!(r#"{head}{more},"attempts":0}}"#)})
}

#[test]
fn a_checkpoint_after_the_grace_hands_back_and_after_the_time_times_out() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([native("LooksUp", "back", "")]));
    let list = app.key("queues:default");
    let before: Vec<Vec<u8>> = redis.query(&["LRANGE", &list, "0", "-1"]);
    let worker = start(&app, &["--tries=1", "--grace=0"]);
    app.wait_for_trace("LooksUp back attempt 1 starts");
    worker.signal("TERM");
    assert_eq!(worker.finish().code, 0);
    assert_eq!(redis.query::<Vec<Vec<u8>>>(&["LRANGE", &list, "0", "-1"]), before);
    assert_eq!(app.failed_rows().len(), 0);

    redis.flush();
    let limits = r#","timeout":1,"maxTries":3,"failOnTimeout":true"#;
    app.push(&json!([native("LooksUp", "late", limits)]));
    let end = start(&app, &["--max-jobs=1"]).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let rows = app.failed_rows();
    assert!(
        rows[0]["exception"].as_str().unwrap().contains("has been attempted too many times"),
        "{}",
        rows[0]
    );
}

#[test]
fn a_handler_that_lingers_does_not_keep_the_others_from_going_back() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([native("Blocks", "b", ""), {"job": "WaitsForGate", "args": ["g"]}]));
    let worker = start(&app, &["--concurrency=2", "--grace=0"]);
    app.wait_for_trace("WaitsForGate g attempt 1 waits");
    app.wait_for_trace("Blocks b attempt 1 starts");
    worker.signal("TERM");
    let list = app.key("queues:default");
    wait_until("the other goes back", || length(&redis, "LLEN", &list) == 1);
    app.open_gate("b");
    assert_eq!(worker.finish().code, 0);
    assert_eq!(length(&redis, "LLEN", &list), 1, "the one that lingered got to its end");
    assert_eq!(length(&redis, "ZCARD", &format!("{list}:reserved")), 0);
}

#[test]
fn a_worker_stops_although_redis_is_gone() {
    let mut redis = Redis::start();
    let app = App::new(&redis);
    let worker = start(&app, &["--grace=0.5"]);
    worker_is_waiting(&redis);
    redis.kill();
    wait_until("it is told", || worker.stderr().contains("trying again"));
    worker.signal("TERM");
    assert_eq!(worker.finish().code, 0);
    // Nor does it matter that it never was there.
    let worker = start(&app, &["--redis=redis://127.0.0.1:1", "--grace=0.5"]);
    wait_until("it is told", || worker.stderr().contains("trying again"));
    worker.signal("TERM");
    assert_eq!(worker.finish().code, 0);
    let end = start(&app, &["--redis=redis://127.0.0.1:1", "--max-time=1"]).finish();
    assert_eq!(end.code, 0);
}

#[test]
fn times_that_no_clock_can_hold_mean_for_ever() {
    let redis = Redis::start();
    let app = App::new(&redis);
    app.push(&json!([{"job": "Succeed", "args": ["a"], "with": {"timeout": i64::MAX}},
                     {"job": "ThrowsAlways", "args": ["b"], "with": {"tries": 3, "backoff": i64::MAX}},
                     {"job": "ReleasesItself", "args": ["c", i64::MAX, 1], "with": {"tries": 3}}]));
    let end = start(&app, &["--max-jobs=3", "--max-time=1e18", "--sleep=1e18"]).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_eq!(app.trace().len(), 3);
    assert_eq!(length(&redis, "ZCARD", &app.key("queues:default:delayed")), 2);
}

#[test]
fn more_than_one_batch_goes_back_in_its_first_order() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let big = "x".repeat(700 << 10);
    app.push(&json!([{"job": "WaitsForGate", "args": ["s-%i"], "count": 130}]));
    let list = app.key("queues:default");
    for n in 0..4 {
        let payload = format!(
            "{{\"displayName\":\"App\\\\Jobs\\\\WaitsForGate\",\"job\":\"x@y\",\"data\":{{\"name\":\"b-{n}\",\"x\":\"{big}\"}},\"attempts\":0}}"
        );
        let _: u64 = redis.query(&["RPUSH", &list, &payload]);
    }
    let before: Vec<Vec<u8>> = redis.query(&["LRANGE", &list, "0", "-1"]);
    let worker = start(&app, &["--concurrency=134", "--grace=0"]);
    wait_until("all run", || started(&app, 1) == 134);
    worker.signal("TERM");
    assert_eq!(worker.finish().code, 0);
    let after: Vec<Vec<u8>> = redis.query(&["LRANGE", &list, "0", "-1"]);
    assert!(before == after, "popped bytes, first order");
    assert_eq!(length(&redis, "LLEN", &format!("{list}:notify")), 130 + 4);
}

#[test]
fn a_full_quarantine_is_told_once_and_does_not_spin() {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    let app = App::new(&redis);
    let aside = app.key("queues:default:quarantine");
    let mut fill = redis::pipe();
    for _ in 0..10_000 {
        fill.rpush(&aside, "x").ignore();
    }
    let () = fill.query(&mut redis.connect(0)).unwrap();
    app.push(&json!([{"raw": "no job at all"}, {"job": "Succeed", "args": ["a"]}]));
    let worker = start(&app, &[&format!("--redis={}", proxy.url(0))]);
    app.wait_for_trace("Succeed a attempt 1");
    wait_until("it is told", || worker.stderr().contains("the quarantine is full"));
    let before = proxy.scripts("settled, jobs, aside");
    std::thread::sleep(std::time::Duration::from_secs(2));
    let calls = proxy.scripts("settled, jobs, aside") - before;
    assert!(calls <= 4, "{calls} calls in two seconds");
    worker.signal("TERM");
    let end = worker.finish();
    assert_eq!(end.stderr.matches("the quarantine is full").count(), 1, "{}", end.stderr);
    assert_eq!(length(&redis, "LLEN", &app.key("queues:default")), 1, "it is still there");
}
