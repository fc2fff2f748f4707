//! Where failed jobs are kept: in the table that `--failed-jobs` names, else where the app keeps them.
//!
//! Never dials and never shows a password. Counterpart in PHP: `queue.failed`, and the database connection it names.

use std::path::Path;

use super::tree::Tree;
use super::{App, AppFailed, Error, Failed, Low, dialect, url};
use crate::dialect::Dialect;
use crate::failed::{CacheLock, KeyedBy};
use crate::sql::{Driver, Server, Tls};

/// What may stand in the URL's query.
const QUERY: [&str; 5] = ["table", "charset", "unix_socket", "sslmode", "sslrootcert"];

/// The table that was typed.
pub(super) fn typed(low: &Low, of: &Dialect) -> Result<Option<Failed>, Error> {
    let Some(given) = low.get("failed-jobs") else { return Ok(None) };
    let (key, time_column) = dialect::failed_table(of).ok_or(Error::KeepsNoFailedJobs)?;
    let odd = || Error::FailedJobs;
    let settings = url::parsed(&Tree::from(given)).map_err(|_| odd())?;
    let text = |name: &str| settings.get(name).and_then(Tree::text).filter(|text| !text.is_empty());
    let driver = text("driver").and_then(|name| Driver::named(&name)).ok_or_else(odd)?;
    let query = given.split_once('?').map_or("", |(_, query)| query);
    let mut names =
        query.split('&').filter_map(|part| part.split('=').next()).filter(|name| !name.is_empty());
    if names.any(|name| !QUERY.contains(&name)) {
        return Err(odd());
    }
    let database = match driver {
        // A file's path stands behind the two slashes as it is.
        Driver::Sqlite => {
            given.split_once("://").map(|(_, path)| path.split('?').next().unwrap_or(path).to_owned())
        }
        _ => text("database"),
    };
    let server = Server {
        host: text("host"),
        port: settings.get("port").and_then(Tree::int).and_then(|port| port.try_into().ok()),
        socket: text("unix_socket").map(Into::into),
        database: database.filter(|database| !database.is_empty()).ok_or_else(odd)?,
        username: text("username"),
        password: text("password"),
        charset: text("charset").or_else(|| (driver == Driver::Mysql).then(|| "utf8mb4".to_owned())),
        tls: Tls { mode: text("sslmode"), ca: text("sslrootcert").map(Into::into), ..Tls::default() },
        ..Server::default()
    };
    let table = text("table").unwrap_or_else(|| "failed_jobs".to_owned());
    Ok(Some(Failed::Database { driver, servers: vec![server], table, key, time_column }))
}

/// The store that the app names; nowhere where there is none, or the queue itself keeps what fails.
pub(super) fn of_app(app: Option<&App>, dialect: &Dialect, directory: &Path) -> Failed {
    // Kept beside the queue, in the same step.
    let Some(app) = app.filter(|_| !dialect.keeps_failed()) else { return Failed::Null };
    let AppFailed { driver, table, database, path, limit, locks } = &app.failed;
    let key = match driver.as_str() {
        "database-uuids" => Some(KeyedBy::Uuid),
        "database" => Some(KeyedBy::Id),
        _ => None,
    };
    match (driver.as_str(), key, database.driver.as_deref().and_then(Driver::named)) {
        ("null", ..) => Failed::Null,
        ("file", ..) if app.version() >= (10, 10) => {
            let prefixed = app.version() >= (12, 36);
            let lock = CacheLock { folder: directory.join(locks), prefixed };
            Failed::File { path: directory.join(path), limit: *limit, lock }
        }
        (_, Some(key), Some(driver)) => {
            let mut servers = database.servers.clone();
            for server in servers.iter_mut().filter(|_| driver == Driver::Sqlite) {
                server.database = directory.join(&server.database).display().to_string();
            }
            let time_column = dialect::failed_table(dialect).map_or("failed_at", |(_, column)| column);
            let table = format!("{}{table}", database.prefix);
            Failed::Database { driver, servers, table, key, time_column }
        }
        (_, Some(_), None) => {
            Failed::App(format!("{driver} on {}", database.driver.as_deref().unwrap_or("no database")))
        }
        _ => Failed::App(driver.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Think;

    fn typed(given: &str, version: (u32, u32, u32)) -> Result<Option<Failed>, Error> {
        let mut low = Low::default();
        low.flag("failed-jobs", given);
        super::typed(&low, &Think::new("").version(version).into())
    }

    #[test]
    fn a_url_names_database_and_table_and_the_dialect_its_columns() {
        let Ok(Some(Failed::Database { driver, servers, table, key, time_column })) =
            typed("mysql://u:p%40w@db:3307/shop?table=tp_failed_jobs", (3, 0, 9))
        else {
            panic!("a database")
        };
        assert_eq!(
            (driver, key, &*table, time_column),
            (Driver::Mysql, KeyedBy::Id, "tp_failed_jobs", "fail_time")
        );
        assert_eq!(servers[0].to_string(), "u@db:3307/shop");
        assert_eq!(servers[0].password.as_deref(), Some("p@w"));
        for (url, file) in [("sqlite:///var/a.db", "/var/a.db"), ("sqlite://a.db?table=t", "a.db")] {
            let Ok(Some(Failed::Database { servers, time_column, .. })) = typed(url, (3, 0, 2)) else {
                panic!("{url}")
            };
            assert_eq!((&*servers[0].database, time_column), (file, "failed_at"));
        }
    }

    #[test]
    fn what_names_no_table_is_told_without_the_password() {
        for (given, version, told) in [
            ("mysql://u:hush@db", (3, 0, 9), "must be a URL of a database"),
            ("oracle://u:hush@db/shop", (3, 0, 9), "must be a URL of a database"),
            ("mysql://u:hush@db/shop?tabel=x", (3, 0, 9), "must be a URL of a database"),
            ("sqlite://", (3, 0, 9), "must be a URL of a database"),
            ("mysql://u:hush@db/shop", (2, 0, 4), "keeps no failed jobs"),
        ] {
            let error = typed(given, version).unwrap_err().to_string();
            assert!(error.contains(told) && !error.contains("hush"), "{error}");
        }
    }
}
