//! The cached configuration, read without PHP: the same as what PHP itself says, for apps of many shapes.

use handover::config::{App as Said, Config, Low};

use super::edit;
use crate::support::laravel::App;
use crate::support::redis::Redis;

/// Read in this process; an empty `php` stands for a machine without one.
fn read(app: &App, php: &str, connection: &str) -> Result<Config, String> {
    let mut low = Low::default();
    low.flag("app", app.path("").display().to_string());
    low.flag("php-binary", php);
    low.flag("connection", connection);
    Config::from_low(&low).map_err(|error| error.to_string())
}

fn said(app: &App, php: &str, connection: &str) -> Said {
    let config = read(app, php, connection).unwrap_or_else(|error| panic!("{error}"));
    config.app.expect("there is an app")
}

/// Composer's record of what is installed, which Debian's Laravel has none of.
fn installed(app: &App, packages: &[(&str, &str)]) {
    let packages: Vec<String> = packages
        .iter()
        .map(|(name, version)| format!(r#"{{"name":"{name}","version":"{version}"}}"#))
        .collect();
    app.set_file("composer.lock", &format!(r#"{{"packages":[{}]}}"#, packages.join(",")));
}

fn cache(app: &App) {
    let cached = app.artisan(&["config:cache"]);
    assert_eq!(cached.code, 0, "{}{}", cached.stdout, cached.stderr);
}

/// The cached file and PHP agree in everything but who said it.
fn agree(app: &App, connection: &str) -> Said {
    let by_php = said(app, "php", connection);
    assert_eq!(by_php.origin, "the app");
    cache(app);
    installed(app, &[("laravel/framework", "v8.83.26"), ("laravel/horizon", "v5.29.1")]);
    let by_file = said(app, "", connection);
    assert_eq!(by_file.origin, "the app's cached configuration");
    assert_eq!(by_file.warnings, Vec::<String>::new());
    assert_eq!(Said { origin: by_php.origin.clone(), ..by_file.clone() }, by_php);
    by_file
}

#[test]
fn the_fixture_as_it_is() {
    let app = App::new(&Redis::start());
    let said = agree(&app, "");
    assert_eq!(said.redis.unwrap().prefix, "fixture_app_database_");
    assert_eq!((said.connection.as_str(), said.retry_after), ("redis", Some(90)));
}

#[test]
fn connections_of_every_shape() {
    let nodes = "['host' => 'a', 'port' => 7000], ['host' => 'b', 'port' => 7001]";
    for (case, redis) in [
        (
            "url",
            "'jobs' => ['url' => 'rediss://u:p%40ss@r.example:6380/3?prefix=q_', 'host' => 'elsewhere'],",
        ),
        ("url alone", "'jobs' => 'redis://:1234@r.example/2',"),
        (
            "prefix",
            "'jobs' => ['host' => 'h', 'prefix' => 'own_', 'options' => ['prefix' => \"it's \\\\ a\\0b\"]],",
        ),
        ("serializer", "'jobs' => ['host' => 'h', 'options' => ['serializer' => 1, 'scan' => 2.5]],"),
        (
            "tls",
            "'jobs' => ['scheme' => 'tls', 'host' => 'h', 'context' => ['verify_peer' => false, 'cafile' => '/a.pem']],",
        ),
        (
            "cluster",
            &format!(
                "'clusters' => ['jobs' => [{nodes}], 'options' => ['prefix' => 'c_', 'password' => 'x']],"
            ),
        ),
        (
            "sentinels",
            "'jobs' => ['tcp://a:26379', 'tcp://b', 'options' => ['replication' => 'sentinel', 'service' => 'm', 'parameters' => ['database' => 3, 'password' => 'x']]],",
        ),
    ] {
        let app = App::new(&Redis::start());
        edit(&app, "config/database.php", "'redis' => [", &format!("'redis' => [ {redis}"));
        let queue = "'connections' => [ 'shop' => ['driver' => 'redis', 'connection' => 'jobs', 'queue' => '{orders}', 'retry_after' => '45', 'migration_batch_size' => 7],";
        edit(&app, "config/queue.php", "'connections' => [", queue);
        let said = agree(&app, "shop");
        assert_eq!((said.queue.as_str(), said.retry_after), ("{orders}", Some(45)), "{case}");
        assert_eq!(said.redis.as_ref().unwrap().name, "jobs", "{case}");
        // The connection beside it is still the fixture's.
        let other = read(&app, "", "redis").unwrap();
        assert_eq!(other.dialect.prefix(), "fixture_app_database_", "{case}");
    }
}

#[test]
fn what_a_provider_changes_while_the_app_boots_is_in_the_file() {
    let mut app = App::new(&Redis::start());
    app.set_file(
        "vendor/autoload.php",
        "<?php require_once 'Illuminate/autoload.php'; require_once __DIR__.'/laravel/horizon/src/HorizonServiceProvider.php';",
    );
    app.set_file(
        "vendor/laravel/horizon/src/HorizonServiceProvider.php",
        "<?php\nnamespace Laravel\\Horizon;\nclass HorizonServiceProvider extends \\Illuminate\\Support\\ServiceProvider {\n\
         public function register() { config(['horizon' => ['use' => 'default', 'prefix' => 'h:']]); }\n\
         public function boot() { config(['queue.connections.redis.retry_after' => null, 'database.redis.options.prefix' => 'booted_']); }\n}\n",
    );
    edit(
        &app,
        "bootstrap/app.php",
        "require_once 'Illuminate/autoload.php';",
        "require_once dirname(__DIR__).'/vendor/autoload.php';",
    );
    app.set_env("APP_PROVIDERS", "Laravel\\\\Horizon\\\\HorizonServiceProvider");
    let said = agree(&app, "");
    assert!(said.horizon);
    assert_eq!((said.retry_after, said.horizon_prefix.as_deref()), (None, Some("h:")));
    assert_eq!(said.redis.unwrap().prefix, "booted_");
}

#[test]
fn with_a_cached_configuration_the_env_file_is_not_read() {
    let mut app = App::new(&Redis::start());
    agree(&app, "");
    app.set_env("REDIS_PREFIX", "new_");
    assert_eq!(read(&app, "", "").unwrap().dialect.prefix(), "fixture_app_database_");
    assert_eq!(read(&app, "php", "").unwrap().dialect.prefix(), "fixture_app_database_");
}

#[test]
fn php_is_asked_where_the_file_cannot_tell_everything_and_without_it_that_is_told() {
    let app = App::new(&Redis::start());
    cache(&app);
    assert_eq!(said(&app, "php", "").origin, "the app");
    let warned = |app: &App| read(app, "", "").unwrap().warnings.join("\n");
    assert!(warned(&app).contains("tells the framework's version"), "{}", warned(&app));
    installed(&app, &[("laravel/framework", "v13.26.1")]);
    assert_eq!(said(&app, "php", "").origin, "the app");
    assert!(warned(&app).contains("Queue::forward"), "{}", warned(&app));
}

#[test]
fn a_file_that_is_more_than_literals_is_php_s_to_read() {
    let app = App::new(&Redis::start());
    installed(&app, &[("laravel/framework", "v8.83.26")]);
    cache(&app);
    edit(&app, "bootstrap/cache/config.php", "'fixture_app_database_'", "getenv('NONE') ?: 'by_php_'");
    assert_eq!(said(&app, "php", "").redis.unwrap().prefix, "by_php_");
    let told = read(&app, "", "").unwrap_err();
    assert!(told.contains("[getenv] found") && told.contains("at offset "), "{told}");
}
