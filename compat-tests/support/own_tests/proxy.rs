//! Faults fall exactly where they were ordered, once, and everything else passes unchanged.

use std::time::{Duration, Instant};

use redis::{Commands, Connection, Script};

use crate::support::process::wait_until;
use crate::support::proxy::{Fault, Proxy, When};
use crate::support::redis::Redis;

fn connect(proxy: &Proxy) -> Connection {
    redis::Client::open(proxy.url(0)).and_then(|client| client.get_connection()).expect("a connection")
}

#[test]
fn everything_passes_on_a_socket_and_over_tcp() {
    let redis = Redis::start();
    for proxy in [Proxy::new(&redis), Proxy::tcp(&redis)] {
        let mut connection = connect(&proxy);
        let _: () = connection.set("bytes", b"\r\n\0$5\r\n").expect("SET");
        assert_eq!(connection.get::<_, Vec<u8>>("bytes").expect("GET"), b"\r\n\0$5\r\n");
        let mut pipe = redis::pipe();
        for i in 0..500 {
            pipe.rpush("list", i).ignore();
        }
        let _: () = pipe.query(&mut connection).expect("a pipeline");
        assert_eq!(connection.lrange::<_, Vec<i64>>("list", 0, -1).expect("LRANGE").len(), 500);
        let _: () = connection.del("list").expect("DEL");
        assert_eq!(proxy.counts()["RPUSH"], 500);
        assert_eq!(proxy.socket().exists(), proxy.port() == 0);
    }
}

#[test]
fn resp_3_passes() {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    let url = format!("{}&protocol=resp3", proxy.url(0));
    let mut connection =
        redis::Client::open(url).and_then(|client| client.get_connection()).expect("a connection");
    let _: () = connection.hset("hash", "field", 1.5).expect("HSET");
    let all: std::collections::HashMap<String, f64> = connection.hgetall("hash").expect("HGETALL");
    assert_eq!(all["field"], 1.5);
}

#[test]
fn cut_before_keeps_the_command_from_the_server() {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    proxy.arm(When::command("INCRBY").nth(2), Fault::CutBefore);
    let mut connection = connect(&proxy);
    assert_eq!(connection.incr("n", 1).ok(), Some(1));
    assert!(connection.incr::<_, _, i64>("n", 1).is_err());
    assert_eq!(redis.query::<i64>(&["GET", "n"]), 1);
    assert_eq!(proxy.fired(), 1);
    assert_eq!(connect(&proxy).incr("n", 1).ok(), Some(2));
}

#[test]
fn cut_after_swallows_the_answer_alone() {
    let redis = Redis::start();
    let proxy = Proxy::tcp(&redis);
    proxy.arm(When::command("INCRBY"), Fault::CutAfter);
    assert!(connect(&proxy).incr::<_, _, i64>("n", 1).is_err());
    assert_eq!(redis.query::<i64>(&["GET", "n"]), 1);
}

#[test]
fn a_script_is_known_by_its_text_however_it_is_called() {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    let script = Script::new("-- the marked one\nreturn redis.call('INCR', KEYS[1])");
    let other = Script::new("return redis.call('INCR', KEYS[1])");
    proxy.arm(When::script("the marked one"), Fault::CutAfter);
    let mut connection = connect(&proxy);
    assert_eq!(other.key("n").invoke(&mut connection).ok(), Some(1));
    assert!(script.key("n").invoke::<i64>(&mut connection).is_err());
    assert_eq!(redis.query::<i64>(&["GET", "n"]), 2);
    proxy.arm(When::script("some-argument"), Fault::CutBefore);
    assert!(other.key("n").arg("some-argument").invoke::<i64>(&mut connect(&proxy)).is_err());
    assert_eq!(redis.query::<i64>(&["GET", "n"]), 2);
}

#[test]
fn an_unknown_digest_is_not_yet_a_call() {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    let script = Script::new("return redis.call('INCR', KEYS[1])");
    proxy.arm(When::script("key-n"), Fault::CutAfter);
    assert!(script.key("key-n").invoke::<i64>(&mut connect(&proxy)).is_err());
    assert_eq!(redis.query::<i64>(&["GET", "key-n"]), 1);
}

#[test]
fn a_delay_delays() {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    let mut connection = connect(&proxy);
    proxy.arm(When::command("INCRBY"), Fault::Delay(Duration::from_millis(100)));
    let started = Instant::now();
    assert_eq!(connection.incr("n", 1).ok(), Some(1));
    assert!(started.elapsed() >= Duration::from_millis(100));
}

#[test]
fn a_client_that_leaves_takes_its_wait_along() {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    let mut connection = connect(&proxy);
    connection.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
    assert!(connection.blpop::<_, Vec<String>>("list", 0.0).is_err());
    drop(connection);
    let blocked = || redis.query::<String>(&["INFO", "clients"]).contains("blocked_clients:0");
    wait_until("the server to notice", blocked);
}

#[test]
fn all_connections_can_be_cut_and_refused() {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    let mut connection = connect(&proxy);
    proxy.refuse(true);
    proxy.cut_all();
    assert!(connection.incr::<_, _, i64>("n", 1).is_err());
    let again = || redis::Client::open(proxy.url(0)).and_then(|client| client.get_connection());
    assert!(again().is_err());
    proxy.refuse(false);
    assert!(again().is_ok());
}
