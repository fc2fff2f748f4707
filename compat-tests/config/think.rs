//! ThinkPHP apps of each layout: what their own PHP says of queue, Redis, failed jobs and restarts, and a job worked by it.
//!
//! The apps are stand-ins of our own, see the heads of `php-fixtures/think/*`.

use handover::config::{Failed, RestartKey};
use handover::dialect::{Dialect, Think};
use handover::queue::{Queue, RedisQueue, RedisQueueOptions};
use handover::sql::Driver;
use handover::{Context, Worker};

use crate::support::redis::Redis;
use crate::support::skeleton::Skeleton;

fn think(config: &handover::config::Config) -> &Think {
    let Dialect::Think(think) = &config.dialect else { panic!("{:?}", config.dialect) };
    think
}

#[test]
fn thinkphp_6_and_8_say_connection_queue_and_what_a_reservation_lasts() {
    let app = Skeleton::of("think/6");
    let (config, said) = app.said(&[]);
    assert_eq!(
        (&*said.connection, &*said.queue, said.driver.as_deref()),
        ("redis", "default", Some("redis"))
    );
    assert_eq!(config.dialect.keys("default").ready, "{queues:default}");
    assert_eq!((think(&config).version, &*think(&config).namespace), ((3, 0, 9), "app"));
    let options = &config.options;
    // Row 16: no retry_after is 60 seconds.
    assert_eq!((options.tries, options.timeout, options.lease_seconds()), (0, 60, 60));
    assert!(config.expire_reservations && config.failed == Failed::Null);
    assert_eq!(format!("{:?}", config.redis), "redis://127.0.0.1:6379/0");
    assert_eq!(said.timezone, "Asia/Shanghai");

    app.set_file(
        "config/app.php",
        "<?php return ['default_timezone' => 'Europe/Rome', 'app_namespace' => 'shop'];",
    );
    app.edit(
        "config/queue.php",
        "'password' => getenv('REDIS_PASSWORD') ?: ''",
        "'password' => ['w', 'p@s']",
    );
    app.edit(
        "config/queue.php",
        "'queue' => 'default',\n            'host'",
        "'queue' => 'orders', 'retry_after' => '90', 'host'",
    );
    app.edit("config/queue.php", "'select' => 0", "'select' => '3'");
    let (config, said) = app.said(&[]);
    assert_eq!((config.queues.join(","), config.options.lease_seconds()), ("orders".to_owned(), 90));
    assert_eq!(&*config.redis, "redis://w:p%40s@127.0.0.1:6379/3");
    assert_eq!((&*said.timezone, &*think(&config).namespace), ("Europe/Rome", "shop"));
    let (config, _) = app.said(&[("namespace", "other"), ("lease", "45"), ("queue", "a,b")]);
    assert_eq!((&*think(&config).namespace, config.options.lease_seconds()), ("other", 45));
    assert_eq!(config.queues, ["a", "b"]);
}

#[test]
fn row_15_thinkphp_5_has_one_flat_file_and_an_expire_that_may_be_null() {
    let (config, said) = Skeleton::of("think/5.1").said(&[]);
    assert_eq!(think(&config).version, (2, 0, 4));
    assert_eq!((&*said.queue, said.retry_after, said.endless), ("mails", Some(90), false));
    assert_eq!(&*config.redis, "redis://127.0.0.1:0/2");
    // There is no --timeout before version 3.
    assert_eq!((config.options.timeout, config.expire_reservations), (0, true));
    assert_eq!(config.failed, Failed::Null);

    let app = Skeleton::of("think/5.0");
    let (config, said) = app.said(&[]);
    assert_eq!((think(&config).version, &*said.queue), ((1, 1, 6), "default"));
    assert!(said.endless && !config.expire_reservations);
    assert_eq!(config.dialect.keys("default").ready, "queues:default");
    // Without the entry it is 60 seconds, which are not for ever.
    app.edit("application/extra/queue.php", "'expire' => null,", "");
    let (config, _) = app.said(&[]);
    assert_eq!((config.expire_reservations, config.options.lease_seconds()), (true, 60));
    app.edit("think", "define('APP_PATH'", "define('APP_NAMESPACE', 'shop');\ndefine('APP_PATH'");
    assert_eq!(think(&app.said(&[]).0).namespace, "shop");
}

#[test]
fn rows_1_and_2_the_installed_version_decides_on_the_keys_unless_one_is_named() {
    let app = Skeleton::of("think/6");
    app.install("topthink/think-queue", "v3.0.4");
    assert_eq!(app.said(&[]).0.dialect.keys("q").ready, "queues:q");
    assert_eq!(app.said(&[("dialect-version", "3.0.7")]).0.dialect.keys("q").ready, "{queues:q}");
    // A branch says nothing; Composer's other list may.
    app.install("topthink/think-queue", "3.0.x-dev");
    assert_eq!(think(&app.said(&[]).0).version, (3, 0, 9));
    std::fs::remove_file(app.directory().join("vendor/composer/installed.json")).unwrap();
    app.set_file(
        "vendor/composer/installed.php",
        "<?php return array(\n 'versions' => array(\n  'topthink/think-queue' => array(\n   'pretty_version' => 'v3.0.4',\n   'version' => '3.0.4.0',\n",
    );
    assert_eq!(think(&app.said(&[]).0).version, (3, 0, 4));

    // Before 3.0.3 the driver stands under another name.
    app.install("topthink/think-queue", "v3.0.2");
    assert!(app.read(&[]).unwrap_err().contains("[redis] has the driver [none: it is not configured]"));
    app.edit("config/queue.php", "'type' => 'redis'", "'driver' => 'redis'");
    assert_eq!(think(&app.said(&[]).0).version, (3, 0, 2));
}

#[test]
fn another_connection_may_be_named_and_one_that_is_not_on_redis_is_refused() {
    let app = Skeleton::of("think/6");
    for (connection, told) in [
        ("sync", "The queue connection [sync] has the driver [sync]"),
        ("database", "has the driver [database]; Handover works queues of the redis driver"),
        ("none", "[none] has the driver [none: it is not configured]"),
    ] {
        let error = app.read(&[("connection", connection)]).unwrap_err();
        assert!(error.contains(told), "{error}");
    }
    app.edit(
        "config/queue.php",
        "'sync' => ['type' => 'sync'],",
        "'two' => ['type' => '\\think\\queue\\connector\\Redis', 'host' => 'b', 'queue' => 'q'],",
    );
    let (config, _) = app.said(&[("connection", "two")]);
    assert_eq!(
        (&*config.connection, &*config.redis, &*config.default_queue),
        ("two", "redis://b:6379/0", "q")
    );
    app.edit("config/queue.php", "'host' => 'b', ", "");
    assert!(
        app.read(&[("connection", "two")]).unwrap_err().contains("queue.connections.two.host is missing")
    );

    let five = Skeleton::of("think/5.1");
    five.edit("config/queue.php", "'connector' => 'Redis'", "'connector' => 'Topthink'");
    assert!(five.read(&[]).unwrap_err().contains("has the driver [topthink]"));
    std::fs::remove_file(five.directory().join("config/queue.php")).unwrap();
    assert!(five.read(&[]).unwrap_err().contains("it is not configured"));
}

#[test]
fn variables_reach_the_app_s_files_and_flags_go_before_them() {
    let redis = Redis::start();
    let app = Skeleton::of("think/6");
    let socket = redis.socket().display().to_string();
    let () =
        redis.query(&["RPUSH", "{queues:default}", r#"{"job":"Hello","data":"","id":"i","attempts":0}"#]);
    let shown = app.handover(&["queue:inspect"], &[("REDIS_HOST", &socket), ("REDIS_PORT", "0")]);
    assert!(shown.stdout.contains("Hello attempts 0"), "{}{}", shown.stdout, shown.stderr);
    let shown = app.handover(&["queue:inspect", "--redis", &redis.url(0)], &[]);
    assert!(
        shown.stdout.contains("[redis:default]") && shown.stdout.contains("pending: 1"),
        "{}",
        shown.stderr
    );
    // Without PHP that is enough, and the directory still says which framework it is.
    let without = [("HANDOVER_PHP_BINARY", "php-that-is-none")];
    let shown = app.handover(&["queue:inspect", "--redis", &redis.url(0)], &without);
    assert!(shown.stdout.contains("pending: 1"), "{}{}", shown.stdout, shown.stderr);
    let told = app.handover(&["queue:inspect"], &without);
    assert!(told.code == 1 && told.stderr.contains("HANDOVER_PHP_BINARY"), "{}", told.stderr);
    let told = app.handover(&["queue:inspect"], &[("QUEUE_CONNECTION", "sync")]);
    assert!(told.stderr.contains("has the driver [sync]"), "{}", told.stderr);
}

#[test]
fn an_app_that_does_not_boot_is_told_in_its_own_words() {
    let app = Skeleton::of("think/6");
    let queue = std::fs::read_to_string(app.directory().join("config/queue.php")).unwrap();
    for (broken, told) in [
        ("<?php throw new RuntimeException('no key, no service');", "no key, no service"),
        ("<?php return [", "config/queue.php"),
        ("<?php undefined_function();", "undefined_function"),
        ("<?php exit(3);", "does not boot"),
    ] {
        app.set_file("config/queue.php", broken);
        let error = app.read(&[]).unwrap_err();
        assert!(error.contains("does not boot") && error.contains(told), "{broken}: {error}");
    }
    app.set_file(
        "config/queue.php",
        &format!("{queue}echo \"a word\\n\\xff\";").replace("<?php", "<?php echo 'x';"),
    );
    app.said(&[]);
    app.set_file("think", "<?php // another console\n");
    assert!(app.read(&[]).unwrap_err().contains("has not run think\\Console"));
}

#[test]
fn the_think_file_may_be_strict_or_written_in_another_way() {
    let boot = "require __DIR__.'/vendor/autoload.php';\n(new \\think\\App())->console->run();\n";
    for head in [
        "#!/usr/bin/env php\n<?php\ndeclare(strict_types=1);\nnamespace think;\n",
        "#!/usr/bin/env php\r\n<?php\r\ndeclare (strict_types = 1);\r\n",
        "<?php\nnamespace think;\n",
        "words for the screen\n<?php\n",
    ] {
        let app = Skeleton::of("think/6");
        app.set_file("think", &format!("{head}{boot}"));
        assert_eq!(app.said(&[]).1.connection, "redis", "{head}");
        app.set_file("think", &format!("{head}{boot}?>\n\n"));
        assert_eq!(app.said(&[]).1.connection, "redis", "{head}");
    }
}

#[test]
fn a_namespace_that_php_processes_may_not_know_is_told() {
    let app = Skeleton::of("think/6");
    let told = |flags: &[(&str, &str)]| app.said(flags).0.warnings.join(" ").contains("setNamespace('shop')");
    assert!(told(&[("namespace", "shop"), ("php", "1")]));
    assert!(!told(&[("namespace", "shop")]) && !told(&[("php", "1")]));
}

#[test]
fn failed_jobs_go_where_think_queue_keeps_them() {
    let app = Skeleton::of("think/6");
    app.edit("config/queue.php", "'failed' => ['type' => 'none'", "'failed' => ['type' => 'database'");
    let failed = |app: &Skeleton| match app.said(&[]).0.failed {
        Failed::Database { driver, servers, table, time_column, .. } => (driver, servers, table, time_column),
        other => panic!("{other:?}"),
    };
    let (driver, servers, table, time_column) = failed(&app);
    assert_eq!((driver, &*table, time_column), (Driver::Sqlite, "tp_failed_jobs", "fail_time"));
    assert_eq!(servers[0].database, app.directory().join("runtime/jobs.sqlite").display().to_string());
    app.install("topthink/think-queue", "3.0.2");
    app.edit("config/queue.php", "'type' => 'redis'", "'driver' => 'redis'");
    assert_eq!(failed(&app).3, "failed_at");

    // PDO's own address goes before the single settings.
    app.edit(
        "config/database.php",
        "'type' => 'sqlite',",
        "'type' => 'sqlite', 'dsn' => 'sqlite:/srv/jobs.db',",
    );
    assert_eq!(failed(&app).1[0].database, "/srv/jobs.db");
    app.edit(
        "config/database.php",
        "'type' => 'sqlite', 'dsn' => 'sqlite:/srv/jobs.db',",
        "'type' => 'mysql', 'username' => 'u', 'hostname' => 'x', 'dsn' => 'mysql:host=db;port=33;dbname=own',",
    );
    let server = &failed(&app).1[0];
    assert_eq!((server.host.as_deref(), server.port, &*server.database), (Some("db"), Some(33), "own"));
    assert_eq!(server.username.as_deref(), Some("u"));

    // Of several servers the masters are written to.
    app.edit("config/database.php", "'default' => 'sqlite'", "'default' => 'mysql'");
    let (driver, servers, table, _) = failed(&app);
    assert_eq!((driver, &*table), (Driver::Mysql, "failed_jobs"));
    let hosts: Vec<&str> = servers.iter().filter_map(|server| server.host.as_deref()).collect();
    assert_eq!(hosts, ["10.0.0.1", "10.0.0.2"]);
    assert!(servers.iter().all(|server| (server.port, &*server.database) == (Some(3307), "shop")));
    assert_eq!(servers[1].password.as_deref(), Some("hunter2"));

    app.edit("config/queue.php", "'failed' => ['type' => 'database'", "'failed' => ['type' => 'app\\Failed'");
    assert_eq!(app.said(&[]).0.failed, Failed::App("app\\Failed".into()));
}

#[test]
fn row_30_the_word_of_queue_restart_is_found_where_the_cache_keeps_it() {
    let app = Skeleton::of("think/6");
    let restart = |app: &Skeleton| app.said(&[]).0.restart.expect("ThinkPHP has one");
    let file = |path: &str| RestartKey::File { path: path.into() };
    let runtime = app.directory().join("runtime/cache").display().to_string();
    let name = "fe/767bdf35445c5d9d176a0c20c983f6.php";
    assert_eq!(restart(&app), file(&format!("{runtime}/{name}")));
    app.edit(
        "config/cache.php",
        "'path' => '', 'prefix' => ''",
        "'path' => '/srv/cache/', 'prefix' => 'web', 'cache_subdir' => false",
    );
    assert_eq!(restart(&app), file("/srv/cache/web/fe767bdf35445c5d9d176a0c20c983f6.php"));
    app.edit("config/cache.php", "'prefix' => 'web'", "'hash_type' => 'sha1'");
    assert_eq!(restart(&app), RestartKey::Unknown("file, named by sha1".into()));
    app.edit("config/cache.php", "'default' => 'file'", "'default' => 'redis'");
    let RestartKey::Redis { url, key } = restart(&app) else { panic!("{:?}", restart(&app)) };
    assert_eq!((&*url, &*key), ("redis://:hunter2@10.0.0.9:6379/4", "shop:think:queue:restart"));
    assert!(!format!("{:?}", restart(&app)).contains("hunter2"));
    app.edit("config/cache.php", "'default' => 'redis'", "'default' => 'memory'");
    assert_eq!(restart(&app), RestartKey::Unknown("memcached".into()));

    // Before version 6 there is one store, or `complex` with several.
    let five = Skeleton::of("think/5.1");
    let runtime = five.directory().join("runtime/cache").display().to_string();
    assert_eq!(restart(&five), file(&format!("{runtime}/web/{name}")));
    five.edit("config/cache.php", "'type' => 'file', 'prefix' => 'web'", "'type' => 'redis'");
    let RestartKey::Redis { url, key } = restart(&five) else { panic!("{:?}", restart(&five)) };
    assert_eq!((&*url, &*key), ("redis://127.0.0.1:6379/0", "think:queue:restart"));
    let oldest = Skeleton::of("think/5.0");
    let runtime = oldest.directory().join("runtime/cache").display().to_string();
    assert_eq!(restart(&oldest), file(&format!("{runtime}/{name}")));
}

/// An app whose queue is on this Redis.
fn on(redis: &Redis, layout: &str, file: &str) -> Skeleton {
    let app = Skeleton::of(layout);
    let socket = format!("'{}'", redis.socket().display());
    app.edit(file, "getenv('REDIS_HOST') ?: '127.0.0.1'", &socket);
    app
}

#[tokio::test]
async fn a_worker_of_the_app_works_its_job_and_row_18_keeps_what_failed() {
    let redis = Redis::start();
    let app = on(&redis, "think/6", "config/queue.php");
    app.edit("config/queue.php", "'failed' => ['type' => 'none'", "'failed' => ['type' => 'database'");
    let database = app.directory().join("runtime/jobs.sqlite");
    app.set_file("runtime/jobs.sqlite", "");
    let database = handover::sql::Database::new(
        Driver::Sqlite,
        vec![handover::sql::Server {
            database: database.display().to_string(),
            ..handover::sql::Server::default()
        }],
    );
    let table = "create table tp_failed_jobs (id integer primary key, connection text, queue text, payload text, \
                 exception text, fail_time timestamp)";
    let mut session = database.begin().await.unwrap();
    session.execute(table, &[]).await.unwrap();
    session.commit().await.unwrap();

    let queue = crate::conformance::speaking(&redis, Think::new(""));
    for name in ["hello@run", "Boom"] {
        let payload = format!(
            r#"{{"job":"{name}","maxTries":null,"timeout":null,"data":{{"n":1}},"id":"i","attempts":0}}"#
        );
        queue.push("default", payload.as_bytes()).await.unwrap();
    }
    let hello = |data: serde_json::Value, context: Context| async move {
        assert_eq!((data["n"].as_i64(), context.job().attempts), (Some(1), 1));
        handover::Outcome::Deleted
    };
    let boom = |_: serde_json::Value, _: Context| async { Err::<(), _>(handover::Exception::msg("boom")) };
    let worker = Worker::from_low(&app.low(&[("tries", "1")])).unwrap();
    worker.handle("app\\job\\Hello", hello).handle("app\\job\\Boom", boom).drain().await.unwrap();

    let left: Vec<String> = redis.query(&["KEYS", "*"]);
    assert_eq!(left, Vec::<String>::new());
    let mut session = database.begin().await.unwrap();
    let rows =
        session.rows("select connection, queue, payload, fail_time from tp_failed_jobs", &[]).await.unwrap();
    session.commit().await.unwrap();
    let [row] = &rows[..] else { panic!("{rows:?}") };
    assert_eq!((row[0].as_deref(), row[1].as_deref()), (Some("redis"), Some("default")));
    assert!(row[2].as_deref().unwrap().contains("\"Boom\""), "{row:?}");
    assert!(row[3].is_some());
}

#[tokio::test]
async fn a_worker_of_an_older_app_works_its_job() {
    let redis = Redis::start();
    let app = on(&redis, "think/5.0", "application/extra/queue.php");
    let server = handover::redis::Redis::new(&redis.url(0)).unwrap();
    let queue = RedisQueue::new(server, Think::new("").version((1, 1, 6)), RedisQueueOptions::default());
    queue.push("default", br#"{"job":"Hello","data":"x","id":"i","attempts":1}"#.as_slice()).await.unwrap();
    let (seen, mut saw) = tokio::sync::mpsc::unbounded_channel();
    let hello = move |data: String, context: Context| {
        let seen = seen.clone();
        async move {
            seen.send((data, context.job().attempts)).unwrap();
            handover::Outcome::Deleted
        }
    };
    Worker::from_low(&app.low(&[])).unwrap().handle("app\\job\\Hello", hello).drain().await.unwrap();
    assert_eq!(saw.try_recv().unwrap(), ("x".to_owned(), 1));
    assert_eq!(redis.query::<Vec<String>>(&["KEYS", "*"]), Vec::<String>::new());
}

#[test]
fn a_timeout_that_is_not_below_what_a_reservation_lasts_is_told_in_the_version_s_words() {
    let five = Skeleton::of("think/5.1");
    assert_eq!(five.said(&[]).0.doubts(), Vec::<String>::new());
    let doubts = five.said(&[("timeout", "90")]).0.doubts().join("");
    assert!(doubts.contains("(90 s) is not below the expire of [redis] (90 s)"), "{doubts}");
    let doubts = Skeleton::of("think/6").said(&[]).0.doubts().join("");
    assert!(doubts.contains("(60 s) is not below the retry_after of [redis] (60 s)"), "{doubts}");
}

#[test]
fn doctor_finds_nothing_wrong_in_a_sound_app() {
    let redis = Redis::start();
    let app = on(&redis, "think/6", "config/queue.php");
    app.edit(
        "config/queue.php",
        "'queue' => 'default',\n            'host'",
        "'queue' => 'default', 'retry_after' => 90, 'host'",
    );
    let () = redis.query(&["RPUSH", "{queues:default}", "{}"]);
    let told = app.handover(&["doctor"], &[]);
    assert_eq!((told.code, &*told.stdout, &*told.stderr), (0, "", ""));
    let () = redis.query(&["RPUSH", "queues:default", "{}"]);
    let told = app.handover(&["doctor"], &[]);
    assert!(
        told.code == 1 && told.stdout.contains("[queues:default] and [{queues:default}]"),
        "{}",
        told.stdout
    );
}
