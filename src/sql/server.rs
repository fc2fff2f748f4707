//! One server of a database connection, as the app's configuration resolves it. Plain data; never shows its password.
//!
//! Counterpart in PHP: an entry of `database.connections`, with `url`, `write` and one of the hosts already in place.

use std::fmt::{self, Debug, Display, Formatter};
use std::path::PathBuf;

use serde::Deserialize;

/// A server, and how to stand before it.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Server {
    /// A host's name or address; a folder of sockets for PostgreSQL.
    pub host: Option<String>,
    /// The port, where it is not the usual one.
    pub port: Option<u16>,
    /// MySQL's unix socket; the host does not count then.
    pub socket: Option<PathBuf>,
    /// The database: a file for SQLite.
    pub database: String,
    /// The user.
    pub username: Option<String>,
    /// The password.
    pub password: Option<String>,
    /// `charset`: what MySQL takes our bytes for. PostgreSQL is always told UTF-8.
    pub charset: Option<String>,
    /// `collation`.
    pub collation: Option<String>,
    /// `timezone` of the session: `timestamp` columns of MySQL and `timestamptz` of PostgreSQL are read by it.
    pub timezone: Option<String>,
    /// PostgreSQL's `search_path` or, on Laravel 8, `schema`.
    pub search_path: Vec<String>,
    /// `PDO::MYSQL_ATTR_INIT_COMMAND`: run on each new connection.
    pub init: Option<String>,
    /// Encryption.
    pub tls: Tls,
}

/// How a connection is encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Tls {
    /// libpq's `sslmode`, for MySQL too: `disable`, `prefer`, `require`, `verify-ca`, `verify-full`. Without one, what
    /// PHP does without: PostgreSQL prefers it, MySQL has none.
    pub mode: Option<String>,
    /// A file of certificates that are trusted.
    pub ca: Option<PathBuf>,
    /// Our own certificate.
    pub cert: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
}

impl Display for Server {
    /// Where it is and who we are there.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.username {
            write!(f, "{user}@")?;
        }
        match (&self.socket, &self.host) {
            (Some(socket), _) => write!(f, "{}", socket.display())?,
            (None, Some(host)) => write!(f, "{host}")?,
            (None, None) => return write!(f, "{}", self.database),
        }
        if let Some(port) = self.port.filter(|_| self.socket.is_none()) {
            write!(f, ":{port}")?;
        }
        write!(f, "/{}", self.database)
    }
}

impl Debug for Server {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "Server({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_shown_without_its_password() {
        let server = Server {
            host: Some("db".into()),
            port: Some(3307),
            database: "shop".into(),
            username: Some("worker".into()),
            password: Some("hunter2".into()),
            ..Server::default()
        };
        assert_eq!(server.to_string(), "worker@db:3307/shop");
        assert!(!format!("{server:?}").contains("hunter2"));
    }
}
