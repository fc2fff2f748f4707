//! Each Redis is alone, can be killed and come back, and forgets or remembers as told.

use crate::support::redis::Redis;

#[test]
fn two_servers_share_nothing() {
    let (a, b) = (Redis::start(), Redis::start());
    let _: () = a.query(&["SET", "key", "a"]);
    assert_eq!(b.query::<Option<String>>(&["GET", "key"]), None);
    a.flush();
    assert_eq!(a.query::<i64>(&["DBSIZE"]), 0);
}

#[test]
fn it_goes_with_its_value() {
    let redis = Redis::start();
    let (dir, socket) = (redis.dir().to_owned(), redis.socket());
    assert!(socket.exists());
    drop(redis);
    assert!(!dir.exists());
}

#[test]
fn with_appendonly_it_remembers_through_a_crash() {
    let mut redis = Redis::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let _: () = redis.query(&["SET", "key", "kept"]);
    redis.kill();
    assert!(redis::Client::open(redis.url(0)).and_then(|client| client.get_connection()).is_err());
    redis.restart();
    assert_eq!(redis.query::<String>(&["GET", "key"]), "kept");
}

#[test]
fn it_can_listen_on_tcp_and_be_stopped() {
    let redis = Redis::start_tcp(&[]);
    let client = redis::Client::open(("127.0.0.1", redis.port())).expect("an address");
    let mut connection = client.get_connection().expect("a connection");
    redis.signal("STOP");
    connection.set_read_timeout(Some(std::time::Duration::from_millis(50))).expect("a timeout");
    assert!(redis::cmd("PING").query::<String>(&mut connection).is_err());
    redis.signal("CONT");
}
