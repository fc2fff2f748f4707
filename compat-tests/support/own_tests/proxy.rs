//! Faults fall exactly where they were ordered, once, and everything else passes unchanged.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use redis::{Commands, Connection, Script};

use crate::support::process::wait_until;
use crate::support::proxy::{Fault, Proxy, When};
use crate::support::redis::Redis;

fn connect(proxy: &Proxy) -> Connection {
    redis::Client::open(proxy.url(0)).and_then(|client| client.get_connection()).expect("a connection")
}

/// Asks on a connection that must neither answer nor end.
fn expect_silence(connection: &mut Connection, words: &[&str]) {
    connection.set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
    let answer = redis::cmd(words[0]).arg(&words[1..]).query::<i64>(connection);
    let error = answer.expect_err("silence");
    // A signal to the test process may end the read as its time does.
    let silent = error.is_timeout() || error.to_string().contains("Interrupted");
    assert!(silent, "nothing is closed: {error}");
}

/// The number of connections the server has, without the one that asks.
fn clients(redis: &Redis) -> usize {
    redis.query::<String>(&["CLIENT", "LIST"]).lines().count() - 1
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
fn a_script_is_known_by_a_whole_word_among_its_arguments() {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    let script = Script::new("-- never the word in here\nreturn redis.call('INCR', KEYS[1])");
    let mut connection = connect(&proxy);
    proxy.arm(When::word("word"), Fault::CutAfter);
    assert_eq!(script.key("n").arg("a word").invoke(&mut connection).ok(), Some(1));
    assert!(script.key("n").arg("a").arg("word").invoke::<i64>(&mut connection).is_err());
    assert_eq!(redis.query::<i64>(&["GET", "n"]), 2);
}

#[test]
fn an_unknown_digest_is_not_yet_a_call() {
    for fault in [Fault::CutAfter, Fault::TruncateAnswer, Fault::HalfOpenAfter] {
        let redis = Redis::start();
        let proxy = Proxy::new(&redis);
        let script = Script::new("return redis.call('INCR', KEYS[1])");
        proxy.arm(When::script("key-n"), fault);
        let mut connection = connect(&proxy);
        let call = std::thread::spawn(move || script.key("key-n").invoke::<i64>(&mut connection));
        wait_until("the fault", || proxy.fired() == 1);
        proxy.cut_all();
        assert!(call.join().expect("a call").is_err());
        assert_eq!(redis.query::<i64>(&["GET", "key-n"]), 1);
    }
}

#[test]
fn a_truncated_command_is_half_seen_and_not_carried_out() {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    let mut connection = connect(&proxy);
    proxy.arm(When::command("SET"), Fault::TruncateCommand);
    let received = || {
        let stats = redis.query::<String>(&["INFO", "stats"]);
        let line = stats.lines().find_map(|line| line.strip_prefix("total_net_input_bytes:"));
        line.and_then(|count| count.parse::<usize>().ok()).expect("a count of bytes")
    };
    let before = received();
    let value = "v".repeat(1_000_000);
    assert!(connection.set::<_, _, ()>("key", &value).is_err());
    assert_eq!(proxy.fired(), 1);
    wait_until("the server to drop the connection", || clients(&redis) == 0);
    assert!((500_000..900_000).contains(&(received() - before)), "{} bytes", received() - before);
    assert_eq!(redis.query::<i64>(&["EXISTS", "key"]), 0);
    assert!(connect(&proxy).set::<_, _, ()>("key", &value).is_ok());
}

#[test]
fn a_truncated_answer_is_half_seen_after_its_command_was_carried_out() {
    let redis = Redis::start();
    for proxy in [Proxy::new(&redis), Proxy::tcp(&redis)] {
        proxy.arm(When::command("INCRBY"), Fault::TruncateAnswer);
        assert!(connect(&proxy).incr::<_, _, i64>("n", 1).is_err());
        assert_eq!(proxy.fired(), 1);
    }
    assert_eq!(redis.query::<i64>(&["GET", "n"]), 2);

    let proxy = Proxy::new(&redis);
    proxy.arm(When::command("ECHO"), Fault::TruncateAnswer);
    let mut client = UnixStream::connect(proxy.socket()).expect("a connection");
    client.write_all(b"ECHO hello\r\n").expect("a command");
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).expect("its answer");
    assert_eq!(answer, b"$5\r\nh");
}

#[test]
fn a_connection_half_open_before_a_command_lets_nothing_through_and_stays() {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    let mut held = connect(&proxy);
    proxy.arm(When::command("INCRBY").nth(2), Fault::HalfOpenBefore);
    assert_eq!(held.incr("n", 1).ok(), Some(1));
    (0..2).for_each(|_| expect_silence(&mut held, &["INCRBY", "n", "1"]));
    wait_until("the fault", || proxy.fired() == 1);
    assert_eq!(connect(&proxy).incr("n", 1).ok(), Some(2), "another connection works");
    drop(held);
    wait_until("the other one to leave", || clients(&redis) == 1);
    assert_eq!(connect(&proxy).incr("n", 1).ok(), Some(3));
    wait_until("only the silent one to be left", || clients(&redis) == 1);
    proxy.cut_all();
    wait_until("it to end, too", || clients(&redis) == 0);
}

#[test]
fn a_connection_half_open_after_a_command_lets_no_answer_through_and_stays() {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    let mut held = connect(&proxy);
    proxy.arm(When::command("INCRBY").nth(2), Fault::HalfOpenAfter);
    assert_eq!(held.incr("n", 1).ok(), Some(1));
    (0..2).for_each(|_| expect_silence(&mut held, &["INCRBY", "n", "1"]));
    wait_until("both to be carried out", || redis.query::<i64>(&["GET", "n"]) == 3);
    wait_until("the fault", || proxy.fired() == 1);
    assert_eq!(connect(&proxy).incr("n", 1).ok(), Some(4), "another connection works");
    drop(held);
    wait_until("only the silent one to be left", || clients(&redis) == 1);
}

#[test]
fn late_commands_arrive_when_they_are_told_to_in_their_order() {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    let mut held = connect(&proxy);
    let _: () = redis::cmd("SELECT").arg(3).query(&mut held).expect("SELECT");
    proxy.arm(When::command("RPUSH"), Fault::Late);
    ["a", "b"].iter().for_each(|element| expect_silence(&mut held, &["RPUSH", "list", element]));
    drop(held);
    let list = || redis.connect(3).lrange::<_, Vec<String>>("list", 0, -1).expect("LRANGE");
    wait_until("both to be held", || proxy.held() == 2);
    assert_eq!((proxy.fired(), list()), (1, vec![]));
    let _: i64 = redis.connect(3).rpush("list", "before").expect("RPUSH");
    proxy.deliver_late();
    assert_eq!(list(), ["before", "a", "b"]);
    proxy.deliver_late();
    assert_eq!(list().len(), 3, "each once");
    assert_eq!(connect(&proxy).incr("n", 1).ok(), Some(1), "another connection works");
}

#[test]
fn what_was_held_on_a_connection_that_was_cut_is_not_delivered() {
    let redis = Redis::start();
    let proxy = Proxy::new(&redis);
    proxy.arm(When::command("INCRBY"), Fault::Late);
    expect_silence(&mut connect(&proxy), &["INCRBY", "n", "1"]);
    wait_until("it to be held", || proxy.held() == 1);
    proxy.cut_all();
    proxy.deliver_late();
    assert_eq!(redis.query::<i64>(&["EXISTS", "n"]), 0);
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
