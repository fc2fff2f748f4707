//! Hyperf apps: what their two files say of channels and Redis pools, what is refused, and a job worked by it.
//!
//! The app is a stand-in of our own, see the heads of `php-fixtures/hyperf`.

use handover::config::{Config, Failed};
use handover::dialect::{Dialect, Hyperf};
use handover::{Context, Worker};

use crate::support::redis::Redis;
use crate::support::skeleton::Skeleton;

fn hyperf(config: &Config) -> &Hyperf {
    let Dialect::Hyperf(hyperf) = &config.dialect else { panic!("{:?}", config.dialect) };
    hyperf
}

#[test]
fn a_pool_s_section_says_channel_retries_time_and_how_many_at_once() {
    let app = Skeleton::of("hyperf");
    let (config, said) = app.said(&[]);
    assert_eq!((&*config.connection, &*said.queue), ("default", "{queue}"));
    assert_eq!(config.dialect.keys("{queue}").ready, "{queue}:waiting");
    let options = &config.options;
    assert_eq!((options.lease_seconds(), &*options.backoff, options.concurrency), (20, "5", 4));
    assert_eq!(options.timeout, 0);
    assert_eq!((config.failed, &*config.redis), (Failed::Null, "redis://localhost:6379/0"));

    // Row 13, and a pool of its own: absent are handle_timeout, 10 seconds, and a limit, which is one by one.
    let (config, _) = app.said(&[("connection", "mails")]);
    let options = &config.options;
    assert_eq!((options.lease_seconds(), &*options.backoff, options.concurrency), (10, "1,5,10", 1));
    assert_eq!(
        (&*config.redis, config.dialect.prefix()),
        ("redis://worker:hunter2@10.0.0.1:6379/3", "jobs:")
    );
    // Row 14, and the channel that is meant where none is named.
    let (config, said) = app.said(&[("connection", "bare")]);
    assert_eq!((&*said.queue, &*config.options.backoff), ("queue", "10"));
    // Flags go before.
    let flags =
        [("backoff", "7,8"), ("lease", "30"), ("concurrency", "2"), ("queue", "other"), ("prefix", "p:")];
    let (config, _) = app.said(&flags);
    let options = &config.options;
    assert_eq!((options.lease_seconds(), &*options.backoff, options.concurrency), (30, "7,8", 2));
    assert_eq!(config.dialect.keys(&config.queues[0]).reserved, "p:other:reserved");
}

#[test]
fn what_is_doubtful_is_told_in_hyperf_s_words() {
    let app = Skeleton::of("hyperf");
    let (config, _) = app.said(&[("timeout", "600")]);
    assert!(config.doubts().is_empty() && config.warnings.is_empty(), "{:?}", config.doubts());
    app.edit("config/autoload/async_queue.php", "'handle_timeout' => 20", "'handle_timeout' => 5");
    let [warning] = &app.said(&[]).0.warnings[..] else { panic!("one warning") };
    assert!(
        warning.contains("5 s long (handle_timeout of [default]") && warning.contains("timeout list"),
        "{warning}"
    );
}

#[test]
fn the_installed_version_is_found_unless_one_is_named() {
    let app = Skeleton::of("hyperf");
    assert_eq!(hyperf(&app.said(&[]).0).version, (3, 2, 4));
    for (installed, version) in [("v1.1.32", (1, 1, 32)), ("2.2.41", (2, 2, 41)), ("v3.1.8.1", (3, 1, 9))] {
        app.install("hyperf/async-queue", installed);
        assert_eq!(hyperf(&app.said(&[]).0).version, version);
    }
    assert_eq!(hyperf(&app.said(&[("dialect-version", "3.0.50")]).0).version, (3, 0, 50));
}

#[test]
fn row_32_the_env_file_is_read_and_what_is_in_the_environment_wins() {
    let redis = Redis::start();
    let app = Skeleton::of("hyperf");
    let socket = redis.socket().display().to_string();
    app.set_file(".env", &format!("REDIS_HOST=\"{socket}\"\nREDIS_PORT=0\nREDIS_PREFIX=app:\n"));
    // Only Laravel has a file for each environment.
    app.set_file(".env.dev", "REDIS_PREFIX=dev:\n");
    let () = redis.query(&["LPUSH", "app:{queue}:waiting", "x"]);
    let shown = app.handover(&["queue:inspect"], &[("APP_ENV", "dev")]);
    assert!(shown.stdout.contains("pending: 1"), "{}{}", shown.stdout, shown.stderr);
    let shown = app.handover(&["queue:inspect"], &[("REDIS_PREFIX", "other:")]);
    assert!(shown.stdout.contains("pending: 0"), "{}{}", shown.stdout, shown.stderr);
    app.set_file(".env", "REDIS_HOST=b c\n");
    let told = app.handover(&["queue:inspect"], &[]);
    assert!(told.code == 1 && told.stderr.contains("line 1"), "{}", told.stderr);
}

#[test]
fn clusters_and_sentinels_of_a_pool_are_found() {
    let app = Skeleton::of("hyperf");
    app.set_file(".env", "REDIS_CLUSTER_ENABLE=true\nREDIS_AUTH=hunter2\n");
    assert_eq!(&*app.said(&[]).0.redis, "redis+cluster://:hunter2@a:7000,b:7001");
    app.edit("config/autoload/async_queue.php", "'channel' => '{queue}'", "'channel' => 'queue'");
    assert!(app.read(&[]).unwrap_err().contains("as in [{queue}]"));
    app.set_file(
        ".env",
        "REDIS_SENTINEL_ENABLE=true\nREDIS_SENTINEL_NODE=tcp://a:26379;tcp://b:26380\nREDIS_SENTINEL_PASSWORD=s\nREDIS_DB=2\n",
    );
    assert_eq!(&*app.said(&[]).0.redis, "redis+sentinel://a:26379,b:26380/mymaster/2?sentinel_password=s");
    app.set_file(".env", "REDIS_SENTINEL_ENABLE=true\n");
    assert!(app.read(&[]).unwrap_err().contains("sentinel.nodes names no server"));
}

#[test]
fn what_would_wrap_the_messages_is_refused() {
    let prefix = "'prefix' => env('REDIS_PREFIX', '')";
    for (option, told) in
        [("'serializer' => 1", "serializer"), ("1 => 2", "serializer"), ("'Compression' => 2", "compression")]
    {
        let app = Skeleton::of("hyperf");
        app.edit("config/autoload/redis.php", prefix, option);
        let error = app.read(&[]).unwrap_err();
        assert!(error.contains(told) && error.contains("redis.default"), "{option}: {error}");
        app.edit("config/autoload/redis.php", option, "'serializer' => 0, 7 => 0, 'scan' => 1");
        app.said(&[]);
    }
    let app = Skeleton::of("hyperf");
    let packer =
        "'default' => [\n        'packer' => \\Hyperf\\Codec\\Packer\\IgbinarySerializerPacker::class,";
    app.edit("config/autoload/async_queue.php", "'default' => [", packer);
    assert!(app.read(&[]).unwrap_err().contains("[Hyperf\\Codec\\Packer\\IgbinarySerializerPacker]"));
    app.edit("config/autoload/async_queue.php", "Codec\\Packer\\Igbinary", "Utils\\Packer\\Php");
    app.said(&[]);
}

#[test]
fn what_is_missing_or_of_another_driver_is_told() {
    let app = Skeleton::of("hyperf");
    let error = app.read(&[("connection", "none")]).unwrap_err();
    assert!(error.contains("[none] has the driver [none: it is not configured]"), "{error}");
    app.edit(
        "config/autoload/async_queue.php",
        "'driver' => RedisDriver::class,\n        'redis' => ['pool' => 'default']",
        "'driver' => 'App\\Kafka'",
    );
    assert!(app.read(&[]).unwrap_err().contains("[default] has the driver [App\\Kafka]"));
    app.edit("config/autoload/async_queue.php", "'pool' => 'jobs'", "'pool' => 'gone'");
    assert!(app.read(&[("connection", "mails")]).unwrap_err().contains("redis.gone is not configured"));
    app.edit("config/autoload/async_queue.php", "'channel' => '{mails}'", "'channel' => fn () => 'x'");
    app.edit("config/autoload/async_queue.php", "'pool' => 'gone'", "'pool' => 'jobs'");
    let error = app.read(&[("connection", "mails")]).unwrap_err();
    assert!(error.contains("channel is an object, not a text") && !error.contains("hunter2"), "{error}");

    let app = Skeleton::of("hyperf");
    app.edit("config/autoload/redis.php", "return [", "App\\Vault::secrets(); return [");
    let error = app.read(&[]).unwrap_err();
    assert!(error.contains("does not boot") && error.contains("App\\Vault"), "{error}");
    // One large file is as good as two small ones.
    let app = Skeleton::of("hyperf");
    std::fs::remove_file(app.directory().join("config/autoload/redis.php")).unwrap();
    assert!(app.read(&[]).unwrap_err().contains("redis.default is not configured"));
    app.set_file(
        "config/config.php",
        "<?php return ['app_name' => 'shop', 'redis' => ['default' => ['host' => 'h']]];",
    );
    assert_eq!(&*app.said(&[]).0.redis, "redis://h:6379/0");
    let error = app.read(&[("php", "2")]).unwrap_err();
    assert!(error.contains("no pool of PHP processes for Hyperf"), "{error}");
}

#[tokio::test]
async fn a_worker_of_the_app_works_its_job_and_row_10_keeps_what_failed_in_the_queue() {
    let redis = Redis::start();
    let app = Skeleton::of("hyperf");
    app.set_file(".env", &format!("REDIS_HOST=\"{}\"\nREDIS_PORT=0\n", redis.socket().display()));
    let message = |class: &str| {
        let (length, count) = (class.len(), 2);
        format!(
            "O:28:\"Hyperf\\AsyncQueue\\JobMessage\":2:{{s:3:\"job\";O:{length}:\"{class}\":{count}:\
             {{s:14:\"\0*\0maxAttempts\";i:0;s:2:\"to\";s:5:\"a@b.c\";}}s:8:\"attempts\";i:0;}}"
        )
    };
    for class in ["App\\Job\\Mail", "App\\Job\\Boom"] {
        let () = redis.query(&["LPUSH", "{queue}:waiting", &message(class)]);
    }
    #[derive(serde::Deserialize)]
    struct Mail {
        to: String,
    }
    let (seen, mut saw) = tokio::sync::mpsc::unbounded_channel();
    let mail = move |mail: Mail, context: Context| {
        let seen = seen.clone();
        async move {
            seen.send((mail.to, context.job().attempts)).unwrap();
            Ok::<_, handover::Exception>(())
        }
    };
    let boom = |_: Mail, _: Context| async { Err::<(), _>(handover::Exception::msg("boom")) };
    let worker = Worker::from_low(&app.low(&[])).unwrap();
    worker.handle("App\\Job\\Mail", mail).handle("App\\Job\\Boom", boom).drain().await.unwrap();
    assert_eq!(saw.try_recv().unwrap(), ("a@b.c".to_owned(), 1));
    assert_eq!(
        redis.query::<Vec<String>>(&["LRANGE", "{queue}:failed", "0", "-1"]),
        [message("App\\Job\\Boom")]
    );
    assert_eq!(redis.query::<Vec<String>>(&["KEYS", "*"]), ["{queue}:failed"]);
}

#[test]
fn doctor_finds_nothing_wrong_in_a_sound_app() {
    let redis = Redis::start();
    let app = Skeleton::of("hyperf");
    app.set_file(".env", &format!("REDIS_HOST=\"{}\"\nREDIS_PORT=0\n", redis.socket().display()));
    let () = redis.query(&["LPUSH", "{queue}:waiting", "x"]);
    // Keys of another framework beside it are nobody's mistake.
    let () = redis.query(&["LPUSH", "shop_queues:default", "x"]);
    let told = app.handover(&["doctor"], &[]);
    assert_eq!((told.code, &*told.stdout, &*told.stderr), (0, "", ""));
}
