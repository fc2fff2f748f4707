//! Failed jobs in real databases: one suite for every store, rows held against PHP's own, the app's configuration in its
//! shapes, and a server that goes down and comes back.

mod config;
mod faults;
mod rows;
mod suite;
mod text;

use handover::sql::{Driver, Server};
use serde_json::{Value, json};

use crate::support::database::{DatabaseServer, sqlite_file};
use crate::support::fixtures;
use crate::support::laravel::App;
use crate::support::process::Running;
use crate::support::redis::Redis;

/// Every database.
const DRIVERS: [Driver; 3] = [Driver::Mysql, Driver::Postgres, Driver::Sqlite];

/// An app whose failed jobs are in a database of its own.
struct Shop {
    redis: Redis,
    app: App,
    server: Server,
}

impl Shop {
    /// With Laravel's own table.
    fn new(driver: Driver, failer: &str) -> Shop {
        Shop::with(driver, failer, "", |_| {})
    }

    /// The connection has more settings, in PHP, or others.
    fn with(driver: Driver, failer: &str, more: &str, change: impl FnOnce(&mut Server)) -> Shop {
        let redis = Redis::start();
        let app = App::new(&redis);
        let mut server = match driver {
            Driver::Sqlite => sqlite_file(&app.path("database")),
            _ => {
                let shared = DatabaseServer::shared(driver);
                shared.server(&shared.create_database(""))
            }
        };
        change(&mut server);
        let shop = Shop { redis, app, server };
        shop.configure(failer, &connection(driver, &shop.server, more));
        shop.php(&["create"]);
        shop
    }

    /// Replaces the app's configuration of databases and failed jobs.
    fn configure(&self, failer: &str, connection: &str) {
        let original =
            |file: &str| std::fs::read_to_string(fixtures().join("laravel/config").join(file)).unwrap();
        let databases = original("database.php");
        let edited = databases.replacen(
            "'connections' => [",
            &format!("'connections' => [ 'shop' => {connection},"),
            1,
        );
        self.app.set_file("config/database.php", &edited);
        let queue = original("queue.php").replace(
            "'driver' => env('QUEUE_FAILED_DRIVER', 'database-uuids'),\n        'database' => 'sqlite'",
            &format!("'driver' => '{failer}', 'database' => 'shop'"),
        );
        assert!(queue.contains("'shop'"));
        self.app.set_file("config/queue.php", &queue);
    }

    fn php(&self, words: &[&str]) -> Value {
        let mut php = self.app.command("php");
        php.arg(fixtures().join("failed_jobs.php")).args(words);
        let done = Running::start(php).finish();
        assert_eq!(done.code, 0, "{words:?}: {}{}", done.stdout, done.stderr);
        serde_json::from_str(&done.stdout).unwrap_or_default()
    }

    /// The table, as the app reads it.
    fn rows(&self) -> Vec<Value> {
        serde_json::from_value(self.php(&["rows"])).unwrap()
    }

    /// Jobs that fail.
    fn push(&self, name: &str, message: &str, count: usize) {
        self.app.push(&json!([{"job": "ThrowsAlways", "args": [name, message], "count": count}]));
    }

    fn waiting(&self) -> Vec<String> {
        self.redis.query(&["LRANGE", &self.app.key("queues:default"), "0", "-1"])
    }
}

/// A connection of config/database.php, in PHP.
fn connection(driver: Driver, server: &Server, more: &str) -> String {
    let text = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let name = match driver {
        Driver::Mysql => "mysql",
        Driver::Postgres => "pgsql",
        Driver::Sqlite => "sqlite",
    };
    let host = server.host.as_ref().map(|host| text(host));
    let port = server.port.map(|port| port.to_string());
    let socket = server.socket.as_ref().map(|socket| text(&socket.display().to_string()));
    let [username, password] = [&server.username, &server.password].map(|value| value.as_deref().map(text));
    let charset = match driver {
        Driver::Mysql => Some("'utf8mb4', 'collation' => 'utf8mb4_unicode_ci', 'strict' => true".to_owned()),
        Driver::Postgres => Some("'utf8'".to_owned()),
        Driver::Sqlite => None,
    };
    let rows = [("host", host), ("port", port), ("unix_socket", socket), ("username", username)];
    let rows = rows.into_iter().chain([("password", password), ("charset", charset)]);
    let rows = rows.filter_map(|(name, value)| Some(format!("'{name}' => {}, ", value?))).collect::<String>();
    // What is added counts more than what was there.
    format!(
        "array_merge(['driver' => '{name}', 'database' => {}, 'prefix' => '', {rows}], [{more}])",
        text(&server.database)
    )
}
