//! The table of failed jobs that `--failed-jobs` names, in place of the app's.
//!
//! Never dials and never shows a password. Counterpart in PHP: `queue.failed`, and the database connection it names.

use super::tree::Tree;
use super::{Error, Failed, Low, dialect, url};
use crate::dialect::Dialect;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Think;
    use crate::failed::KeyedBy;

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
