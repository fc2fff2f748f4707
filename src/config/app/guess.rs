//! What the app's configuration is where its files are the skeleton's: from `.env` and the framework's version.
//!
//! Only where it was asked for, and never in silence. Counterpart in PHP: `config/*.php` of `laravel/laravel`, by version.

use std::path::Path;

use super::super::Error;
use super::super::dotenv::Dotenv;
use super::super::tree::Tree;
use super::found::Found;
use super::installed;

/// The configuration, as far as a worker needs it, and what was guessed.
pub(super) fn guessed(directory: &Path, dotenv: &Dotenv) -> Result<Found, Error> {
    let directory = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
    let installed = installed::framework(&directory);
    let (version, of) = installed.unwrap_or_else(|| ("13.26.0".to_owned(), "nothing: it is the newest"));
    let skeleton = Skeleton { dotenv, version: super::version(&version), directory: &directory };
    let (prefix, prefix_of) = skeleton.prefix()?;
    let config = Tree::array([
        ("app", Tree::array([("timezone", skeleton.env("APP_TIMEZONE", "UTC"))])),
        ("queue", skeleton.queue()),
        ("database", skeleton.database(prefix.clone())),
        ("cache", skeleton.cache()),
    ]);
    let file = dotenv.path.as_ref().map_or_else(|| "no .env".to_owned(), |path| path.display().to_string());
    let prefix = prefix.text().unwrap_or_default();
    let warnings = vec![
        format!(
            "GUESSED: the configuration of the app in [{}] is taken to be the skeleton's of Laravel {version} (known from \
             {of}), with the variables of {file}. Files in config/ were not run; what they say otherwise is not known.",
            directory.display()
        ),
        format!("GUESSED: the key prefix [{prefix}], from {prefix_of}. Where it is wrong no job is ever found: name it with --prefix."),
        "GUESSED: failed jobs are kept where the skeleton keeps them. Run `php artisan config:cache` where there is PHP \
         and ship bootstrap/cache/config.php to have nothing guessed."
            .to_owned(),
    ];
    let horizon = installed::horizon(&directory);
    let storage = directory.join("storage");
    let origin = "a guess".to_owned();
    Ok(Found {
        version,
        storage,
        horizon,
        forwards: Vec::new(),
        failer: None,
        mysql_socket: None,
        config,
        origin,
        warnings,
    })
}

struct Skeleton<'a> {
    dotenv: &'a Dotenv,
    version: (u32, u32),
    directory: &'a Path,
}

impl Skeleton<'_> {
    fn env(&self, name: &str, default: &str) -> Tree {
        self.dotenv.env(name).unwrap_or_else(|| Tree::from(default))
    }

    fn env_or(&self, name: &str, default: Tree) -> Tree {
        self.dotenv.env(name).unwrap_or(default)
    }

    /// The key prefix and what it was worked out from.
    fn prefix(&self) -> Result<(Tree, String), Error> {
        if self.version < (5, 8) {
            return Ok((Tree::from(""), "the skeleton before 5.8, which has none".to_owned()));
        }
        if let Some(prefix) = self.dotenv.env("REDIS_PREFIX") {
            return Ok((prefix, "REDIS_PREFIX".to_owned()));
        }
        // An app that was upgraded in place keeps its old file, so that its text says more than the version.
        let file = std::fs::read_to_string(self.directory.join("config/database.php")).unwrap_or_default();
        let (old, new) = (file.contains("_database_"), file.contains("-database-"));
        let (separator, told) = match (old, new) {
            (true, false) => ('_', "config/database.php, which speaks of _database_"),
            (false, true) => ('-', "config/database.php, which speaks of -database-"),
            _ if self.version >= (12, 1) => ('-', "the skeleton from 12.1 on"),
            _ => ('_', "the skeleton before 12.1"),
        };
        let name = self.env("APP_NAME", "laravel").text().unwrap_or_default();
        let slug = slug(&name, separator).ok_or_else(|| Error::NoGuess { name: name.clone() })?;
        Ok((
            Tree::Text(format!("{slug}{separator}database{separator}")),
            format!("APP_NAME [{name}] and {told}"),
        ))
    }

    fn queue(&self) -> Tree {
        let (variable, default) = match self.version {
            version if version < (5, 7) => ("QUEUE_DRIVER", "sync"),
            version if version < (11, 0) => ("QUEUE_CONNECTION", "sync"),
            _ => ("QUEUE_CONNECTION", "database"),
        };
        let eleven = self.version >= (11, 0);
        let retry_after = self.env("REDIS_QUEUE_RETRY_AFTER", "90").int().unwrap_or(90);
        let connection =
            if eleven { self.env("REDIS_QUEUE_CONNECTION", "default") } else { "default".into() };
        let redis = Tree::array([
            ("driver", Tree::from("redis")),
            ("connection", connection),
            (
                "queue",
                if self.version >= (5, 7) { self.env("REDIS_QUEUE", "default") } else { "default".into() },
            ),
            ("retry_after", Tree::Int(if eleven { retry_after } else { 90 })),
        ]);
        let other = |driver: &'static str| (driver, Tree::array([("driver", Tree::from(driver))]));
        let failed = Tree::array([
            (
                "driver",
                if self.version >= (8, 0) {
                    self.env("QUEUE_FAILED_DRIVER", "database-uuids")
                } else {
                    "database".into()
                },
            ),
            ("database", self.env("DB_CONNECTION", self.default_database())),
            ("table", "failed_jobs".into()),
        ]);
        Tree::array([
            ("default", self.env(variable, default)),
            ("connections", Tree::array([("redis", redis), other("sync"), other("database")])),
            ("failed", failed),
        ])
    }

    fn default_database(&self) -> &'static str {
        if self.version >= (11, 0) { "sqlite" } else { "mysql" }
    }

    fn database(&self, prefix: Tree) -> Tree {
        let sqlite_file = self.directory.join("database/database.sqlite").display().to_string();
        let url = if self.version >= (11, 0) { "DB_URL" } else { "DATABASE_URL" };
        let connection = |driver: &str, port: &str| {
            let database = if driver == "sqlite" { sqlite_file.as_str() } else { "laravel" };
            let mut settings = vec![
                ("driver", Tree::from(driver)),
                ("url", self.env_or(url, Tree::Null)),
                ("database", self.env("DB_DATABASE", database)),
                ("prefix", "".into()),
            ];
            if driver != "sqlite" {
                settings.extend([
                    ("host", self.env("DB_HOST", "127.0.0.1")),
                    ("port", self.env("DB_PORT", port)),
                    ("username", self.env("DB_USERNAME", "root")),
                    ("password", self.env("DB_PASSWORD", "")),
                    ("unix_socket", self.env("DB_SOCKET", "")),
                ]);
            }
            (driver.to_owned(), Tree::array(settings))
        };
        let drivers = [("sqlite", ""), ("mysql", "3306"), ("mariadb", "3306"), ("pgsql", "5432")];
        let connections = drivers.map(|(driver, port)| connection(driver, port));
        let redis = Tree::array([
            ("client", self.env("REDIS_CLIENT", if self.version >= (6, 0) { "phpredis" } else { "predis" })),
            ("options", Tree::array([("cluster", self.env("REDIS_CLUSTER", "redis")), ("prefix", prefix)])),
            ("default", self.server("REDIS_DB", "0")),
            ("cache", self.server("REDIS_CACHE_DB", "1")),
        ]);
        Tree::array([
            ("default", self.env("DB_CONNECTION", self.default_database())),
            ("connections", Tree::array(connections)),
            ("redis", redis),
        ])
    }

    fn server(&self, variable: &str, database: &str) -> Tree {
        let username =
            if self.version >= (9, 1) { self.env_or("REDIS_USERNAME", Tree::Null) } else { Tree::Null };
        Tree::array([
            ("url", self.env_or("REDIS_URL", Tree::Null)),
            ("host", self.env("REDIS_HOST", "127.0.0.1")),
            ("username", username),
            ("password", self.env_or("REDIS_PASSWORD", Tree::Null)),
            ("port", self.env("REDIS_PORT", "6379")),
            ("database", self.env(variable, database)),
        ])
    }

    fn cache(&self) -> Tree {
        let eleven = self.version >= (11, 0);
        let variable = if eleven { "CACHE_STORE" } else { "CACHE_DRIVER" };
        let stores = ["array", "database", "file", "redis", "memcached", "dynamodb", "null"];
        let path = self.directory.join("storage/framework/cache/data").display().to_string();
        let store = |name: &str| {
            (
                name.to_owned(),
                Tree::array([("driver", Tree::from(name)), ("path", Tree::from(path.as_str()))]),
            )
        };
        Tree::array([
            ("default", self.env(variable, if eleven { "database" } else { "file" })),
            ("stores", Tree::array(stores.map(store))),
        ])
    }
}

/// Laravel's `Str::slug`; nothing where a letter is not ASCII, for how such a name is spelled is a table of PHP's.
fn slug(name: &str, separator: char) -> Option<String> {
    if !name.is_ascii() {
        return None;
    }
    let flipped = if separator == '-' { '_' } else { '-' };
    let spelled = name.replace(flipped, &separator.to_string());
    let spelled = spelled.replace('@', &format!("{separator}at{separator}")).to_lowercase();
    let kept =
        spelled.chars().filter(|c| *c == separator || c.is_ascii_alphanumeric() || c.is_ascii_whitespace());
    let words: String = kept.map(|c| if c.is_ascii_whitespace() { separator } else { c }).collect();
    let words: Vec<&str> = words.split(separator).filter(|word| !word.is_empty()).collect();
    Some(words.join(&separator.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spelled_as_laravel_spells_them() {
        for (name, old, new) in [
            ("Laravel", "laravel", "laravel"),
            ("My App", "my_app", "my-app"),
            ("Foo_Bar-Baz", "foo_bar_baz", "foo-bar-baz"),
            ("Acme, Inc.", "acme_inc", "acme-inc"),
            ("a@b.com", "a_at_bcom", "a-at-bcom"),
        ] {
            assert_eq!(slug(name, '_').as_deref(), Some(old));
            assert_eq!(slug(name, '-').as_deref(), Some(new));
        }
        assert_eq!(slug("Käse", '-'), None);
    }

    #[test]
    fn the_prefix_goes_by_version_and_by_the_apps_own_file() {
        let directory = tempfile::tempdir().unwrap();
        let guess = |env: &str, version: &str| {
            std::fs::write(directory.path().join(".env"), env).unwrap();
            let lock = format!(r#"{{"packages":[{{"name":"laravel/framework","version":"v{version}"}}]}}"#);
            std::fs::write(directory.path().join("composer.lock"), lock).unwrap();
            let found = guessed(directory.path(), &Dotenv::read(directory.path(), []).unwrap())?;
            assert_eq!(found.version, version);
            Ok::<_, Error>(found.config.get("database.redis.options.prefix").unwrap().text().unwrap())
        };
        assert_eq!(guess("APP_NAME='My App'", "5.7.29").unwrap(), "");
        assert_eq!(guess("APP_NAME='My App'", "8.83.27").unwrap(), "my_app_database_");
        assert_eq!(guess("APP_NAME='My App'", "12.0.1").unwrap(), "my_app_database_");
        assert_eq!(guess("APP_NAME='My App'", "12.67.0").unwrap(), "my-app-database-");
        assert_eq!(guess("", "13.1.0").unwrap(), "laravel-database-");
        assert_eq!(guess("REDIS_PREFIX=", "13.1.0").unwrap(), "");
        let told = guess("APP_NAME=Käse", "13.1.0").unwrap_err().to_string();
        assert!(told.contains("[Käse]") && told.contains("--prefix"), "{told}");
        std::fs::create_dir(directory.path().join("config")).unwrap();
        std::fs::write(directory.path().join("config/database.php"), "'_database_'").unwrap();
        assert_eq!(guess("APP_NAME='My App'", "13.1.0").unwrap(), "my_app_database_");
    }
}
