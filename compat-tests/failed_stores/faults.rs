//! The database goes down while jobs fail, or is down from the start: every row is there afterwards.

use handover::sql::Driver;

use super::{Shop, connection};
use crate::support::database::DatabaseServer;
use crate::support::differential::handover;
use crate::support::process::{Running, wait_until};

fn goes_down_and_comes_back(driver: Driver) {
    let mut server = DatabaseServer::start(driver);
    let database = server.create_database("");
    let shop = Shop::with(driver, "database-uuids", "", |place| *place = server.server(&database));
    let worker = Running::start(handover(&shop.app, &["--concurrency=8"]));
    shop.push("before", "boom", 5);
    wait_until("five rows", || shop.rows().len() == 5);
    server.kill();
    shop.push("while", "boom", 20);
    let trace = |name: &str| {
        shop.app
            .trace()
            .iter()
            .filter(|line| line.starts_with(&format!("ThrowsAlways {name} attempt")))
            .count()
    };
    wait_until("eight jobs wait for the store", || {
        trace("while") == 8 && worker.stderr().contains("failed_jobs")
    });
    server.restart();
    wait_until("all rows", || shop.rows().len() == 25);
    wait_until("nothing is reserved", || {
        shop.redis.query::<usize>(&["ZCARD", &shop.app.key("queues:default:reserved")]) == 0
    });
    worker.signal("TERM");
    let end = worker.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_eq!(shop.rows().len(), 25);
    assert_eq!((trace("before"), trace("while")), (5, 20), "none ran twice");
}

#[test]
fn mariadb_stopped_while_jobs_fail() {
    goes_down_and_comes_back(Driver::Mysql);
}

#[test]
fn postgresql_stopped_while_jobs_fail() {
    goes_down_and_comes_back(Driver::Postgres);
}

#[test]
fn a_database_that_is_down_at_the_start_is_waited_for() {
    let shop = Shop::new(Driver::Postgres, "database-uuids");
    let there = connection(Driver::Postgres, &shop.server, "");
    let file = shop.app.path("no-folder");
    let absent = format!("'host' => '{}'", file.display());
    shop.configure("database-uuids", &connection(Driver::Postgres, &shop.server, &absent));
    shop.push("a", "boom", 1);
    let worker = Running::start(handover(&shop.app, &[]));
    wait_until("it says so", || worker.stderr().contains("cannot connect to"));
    // The server comes up: its socket is there from now on.
    std::os::unix::fs::symlink(DatabaseServer::shared(Driver::Postgres).socket(), file).unwrap();
    shop.configure("database-uuids", &there);
    wait_until("the row is written", || shop.rows().len() == 1);
    worker.signal("TERM");
    assert_eq!(worker.finish().code, 0);
}

#[test]
fn a_row_that_the_database_will_never_take_frees_its_slot_and_its_job_is_set_aside() {
    let shop = Shop::new(Driver::Mysql, "database-uuids");
    // A uuid that the column cannot hold, in front of a job that can be recorded.
    let uuid = "u".repeat(300);
    let spec = serde_json::json!([
        {"job": "ThrowsAlways", "args": ["long", "boom"], "payload": {"uuid": uuid}},
        {"job": "ThrowsAlways", "args": ["sound", "boom"]}
    ]);
    shop.app.push(&spec);
    let end = Running::start(handover(&shop.app, &["--stop-when-empty", "--concurrency=1"])).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_eq!(shop.rows().len(), 1, "{}", end.stderr);
    assert!(end.stderr.contains("will never take it") && end.stderr.contains("boom"), "{}", end.stderr);
    let aside: Vec<String> =
        shop.redis.query(&["LRANGE", &shop.app.key("queues:default:quarantine"), "0", "-1"]);
    assert_eq!(aside.len(), 1);
    assert!(aside[0].contains(&uuid));
}
