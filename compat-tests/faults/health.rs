//! Health tells progress: a worker that is alive and gets nowhere is not healthy, and says what it waits for.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::Value;

use super::worker;
use crate::support::laravel::App;
use crate::support::process::{Running, command, wait_until};
use crate::support::redis::Redis;

/// The status and the body of `GET /health`, once somebody listens.
fn ask(port: u16) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, serde_json::from_str(body).ok()?))
}

/// `handover health`.
fn command_health(port: u16) -> std::process::Command {
    let mut command = command(env!("CARGO_BIN_EXE_handover"));
    command.args(["health", &format!("127.0.0.1:{port}")]);
    command
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_worker_without_its_redis_is_alive_and_not_healthy() {
    let mut redis = Redis::start();
    let port = free_port();
    let running = Running::start(worker(&redis.url(0), &[&format!("--health=127.0.0.1:{port}")]));
    wait_until("it waits for jobs", || {
        ask(port).is_some_and(|(status, body)| status == 200 && body["waiting_for"] == "jobs")
    });
    redis.kill();
    wait_until("it is not healthy", || ask(port).is_some_and(|(status, _)| status == 503));
    let end = Running::start(command_health(port)).finish();
    assert_eq!(end.code, 1, "{}", end.stderr);
    assert!(end.stdout.starts_with(r#"{"healthy":false,"#), "{}", end.stdout);
    let (_, body) = ask(port).unwrap();
    assert!(body["waiting_for"].as_str().unwrap().starts_with("Redis: "), "{body}");
    wait_until("the log says it, too", || running.stderr().contains("s for Redis: "));
    redis.restart();
    wait_until("it is healthy again", || ask(port).is_some_and(|(status, _)| status == 200));
}

#[test]
fn an_app_that_does_not_boot_is_no_healthy_worker() {
    let redis = Redis::start();
    let app = App::new(&redis);
    let port = free_port();
    let mut command = app.command(env!("CARGO_BIN_EXE_handover"));
    command.args(["queue:work", "--php", &format!("--health=127.0.0.1:{port}")]);
    let broken = "<?php throw new RuntimeException('no boot');";
    command.env("RUST_LOG", "handover=debug");
    let provider = std::fs::read_to_string(app.path("app/Console/Kernel.php")).unwrap();
    let running = Running::start(command);
    let child = || {
        let log = running.stderr();
        let line = log.lines().find(|line| line.contains("a PHP child is ready"))?;
        line.split_once("pid=")?.1.split(' ').next().map(str::to_owned)
    };
    wait_until("a child is ready", || child().is_some());
    wait_until("it is healthy", || ask(port).is_some_and(|(status, _)| status == 200));
    // Only the next child meets it: the worker has read its settings by then.
    app.set_file("app/Console/Kernel.php", broken);
    let kill = format!("kill -KILL {}", child().unwrap());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    wait_until("it is not healthy", || ask(port).is_some_and(|(status, _)| status == 503));
    assert_eq!(ask(port).unwrap().1["waiting_for"], "a PHP child: none is ready");
    app.set_file("app/Console/Kernel.php", &provider);
    wait_until("it is healthy again", || ask(port).is_some_and(|(status, _)| status == 200));
}

#[test]
fn an_address_that_is_taken_is_told() {
    let redis = Redis::start();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let end = Running::start(worker(&redis.url(0), &[&format!("--health={address}")])).finish();
    assert_eq!(end.code, 1);
    assert!(end.stderr.contains(&format!("--health: [{address}]")), "{}", end.stderr);
}

#[test]
fn who_accepts_and_says_nothing_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let end = Running::start(command_health(silent.local_addr().unwrap().port())).finish();
    assert_eq!((end.code, end.stdout.as_str()), (1, ""));
    assert!(end.stderr.contains("no answer in 2 seconds"), "{}", end.stderr);
}
