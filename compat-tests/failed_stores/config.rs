//! The connection in the shapes that apps give it, and what is said where it is none that we can use.

use handover::sql::{Driver, Server};

use super::{Shop, connection};
use crate::support::database::{DatabaseServer, PASSWORD, USER};
use crate::support::differential::handover;
use crate::support::process::{Running, wait_until};

/// One job fails, at our worker, and its row is where the app finds it.
fn assert_recorded(shop: &Shop) {
    shop.push("a", "boom", 1);
    let end = Running::start(handover(&shop.app, &["--once"])).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_eq!(shop.rows().len(), 1, "{}", end.stderr);
    assert!(!end.stderr.contains("hunter2"), "{}", end.stderr);
}

fn tcp(server: &mut Server, driver: Driver) {
    server.host = Some("127.0.0.1".into());
    server.port = Some(DatabaseServer::shared(driver).port());
    server.socket = None;
}

const BOTH: [(Driver, &str); 2] = [(Driver::Mysql, "mysql"), (Driver::Postgres, "pgsql")];

#[test]
fn by_tcp() {
    for (driver, _) in BOTH {
        assert_recorded(&Shop::with(driver, "database-uuids", "", |server| tcp(server, driver)));
    }
}

#[test]
fn by_a_url_with_everything_in_it() {
    for (driver, scheme) in BOTH {
        let shop = Shop::new(driver, "database-uuids");
        let password: String = PASSWORD.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let (port, database) = (DatabaseServer::shared(driver).port(), &shop.server.database);
        let url = format!("{scheme}://{USER}:{password}@127.0.0.1:{port}/{database}?prefix=p_");
        let more = format!("'url' => '{url}', 'unix_socket' => '', 'password' => 'hunter2'");
        shop.configure("database-uuids", &connection(driver, &shop.server, &more));
        shop.php(&["create"]);
        assert_recorded(&shop);
    }
}

#[test]
fn writes_go_to_a_host_of_write_and_past_one_that_is_down() {
    for (driver, _) in BOTH {
        let shop = Shop::with(driver, "database-uuids", "", |server| tcp(server, driver));
        let nowhere = "'read' => ['host' => ['127.0.0.9'], 'database' => 'no_such'], 'sticky' => true";
        for write in
            ["'write' => ['host' => ['127.0.0.9', '127.0.0.1']]", "'write' => [['host' => '127.0.0.1']]"]
        {
            let more = format!("{nowhere}, {write}, 'host' => '127.0.0.8'");
            shop.configure("database-uuids", &connection(driver, &shop.server, &more));
            shop.push("a", "boom", 1);
            let end = Running::start(handover(&shop.app, &["--once"])).finish();
            assert_eq!(end.code, 0, "{}", end.stderr);
        }
        shop.configure("database-uuids", &connection(driver, &shop.server, ""));
        assert_eq!(shop.rows().len(), 2);
    }
}

#[test]
fn a_schema_that_is_not_public() {
    let shop = Shop::new(Driver::Postgres, "database-uuids");
    shop.php(&["sql", "create schema \"Odd.name\""]);
    let with = |schema: &str| {
        shop.configure("database-uuids", &connection(Driver::Postgres, &shop.server, schema));
    };
    with("'schema' => 'Odd.name'");
    shop.php(&["create"]);
    assert_recorded(&shop);
    with("'schema' => ['none', 'Odd.name', 'public']");
    shop.push("b", "boom", 1);
    let end = Running::start(handover(&shop.app, &["--once"])).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    assert_eq!(shop.rows().len(), 2);
}

#[test]
fn encrypted_and_verified() {
    for (driver, _) in BOTH {
        let shared = DatabaseServer::shared(driver);
        let file = shared.certificate().display().to_string();
        let shop = Shop::new(driver, "database-uuids");
        // A user whom the server lets in by TLS alone.
        match driver {
            Driver::Mysql => {
                let user = format!("s{}", shop.server.database);
                shared.as_root(&format!(
                    "CREATE USER {user} IDENTIFIED BY 'x' REQUIRE SSL; GRANT ALL ON *.* TO {user}"
                ));
                let mut server = shop.server.clone();
                tcp(&mut server, driver);
                (server.username, server.password) = (Some(user), Some("x".into()));
                let with = |options: &str| connection(driver, &server, &format!("'options' => [{options}]"));
                shop.configure("database-uuids", &with(&format!("PDO::MYSQL_ATTR_SSL_CA => '{file}'")));
                assert_recorded(&shop);
                shop.configure("database-uuids", &with(""));
                assert_refused(&shop, "Access denied");
            }
            _ => {
                let mut server = shop.server.clone();
                tcp(&mut server, driver);
                let with = |more: &str| connection(driver, &server, more);
                shop.configure(
                    "database-uuids",
                    &with(&format!("'sslmode' => 'verify-full', 'sslrootcert' => '{file}'")),
                );
                assert_recorded(&shop);
                shop.configure(
                    "database-uuids",
                    &with("'sslmode' => 'verify-full', 'sslrootcert' => '/etc/hostname'"),
                );
                assert_refused(&shop, "certificate");
            }
        }
    }
}

#[test]
fn another_host_than_the_certificates_is_refused() {
    for (driver, _) in BOTH {
        let shop = Shop::with(driver, "database-uuids", "", |server| tcp(server, driver));
        let file = DatabaseServer::shared(driver).certificate().display().to_string();
        let (lenient, strict) = match driver {
            Driver::Mysql => (
                format!(
                    "'options' => [PDO::MYSQL_ATTR_SSL_CA => '{file}', PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => false]"
                ),
                format!("'options' => [PDO::MYSQL_ATTR_SSL_CA => '{file}']"),
            ),
            _ => (
                format!("'sslmode' => 'verify-ca', 'sslrootcert' => '{file}'"),
                format!("'sslmode' => 'verify-full', 'sslrootcert' => '{file}'"),
            ),
        };
        let with = |more: &str| connection(driver, &shop.server, &format!("'host' => '127.0.0.2', {more}"));
        shop.configure("database-uuids", &with(&lenient));
        assert_recorded(&shop);
        shop.configure("database-uuids", &with(&strict));
        assert_refused(&shop, "certificate");
    }
}

#[test]
fn what_only_php_writes_is_refused_at_the_start_with_the_way_out() {
    let shop = Shop::new(Driver::Sqlite, "database-uuids");
    for (failer, driver, named) in [
        ("database-uuids", "sqlsrv", "[database-uuids on sqlsrv]"),
        ("database", "sqlsrv", "[database on sqlsrv]"),
        ("dynamodb", "sqlite", "[dynamodb]"),
    ] {
        shop.configure(failer, &format!("['driver' => '{driver}', 'database' => 'shop', 'prefix' => '']"));
        let end = Running::start(handover(&shop.app, &["--once"])).finish();
        assert_eq!(end.code, 1);
        assert!(end.stderr.contains(named) && end.stderr.contains("With --php"), "{}", end.stderr);
    }
}

/// The worker starts and says why it cannot record, never with the password; the job stays reserved.
fn assert_refused(shop: &Shop, reason: &str) {
    shop.push("a", "boom", 1);
    let worker = Running::start(handover(&shop.app, &["--grace=0"]));
    wait_until("it says why", || worker.stderr().contains(reason));
    worker.signal("TERM");
    let end = worker.finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let shown = format!("{}{}", end.stdout, end.stderr);
    assert!(!shown.contains("hunter2") && !shown.contains(PASSWORD), "{shown}");
    let reserved = shop.app.key("queues:default:reserved");
    assert_eq!(shop.redis.query::<usize>(&["ZCARD", &reserved]), 1, "{shown}");
    let () = shop.redis.query(&["FLUSHALL"]);
}

#[test]
fn a_wrong_password_is_told_without_showing_it() {
    for (driver, reason) in [(Driver::Mysql, "Access denied"), (Driver::Postgres, "authentication failed")] {
        let shop = Shop::new(driver, "database-uuids");
        shop.configure("database-uuids", &connection(driver, &shop.server, "'password' => 'hunter2'"));
        assert_refused(&shop, reason);
    }
}

#[test]
fn a_missing_table_is_told_by_its_name() {
    for (driver, _) in BOTH {
        let shop = Shop::new(driver, "database-uuids");
        shop.configure("database-uuids", &connection(driver, &shop.server, "'prefix' => 'other_'"));
        assert_refused(&shop, "[other_failed_jobs]");
    }
}
