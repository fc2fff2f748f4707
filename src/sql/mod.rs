//! The app's SQL databases: connecting to them as PHP would, and the few statements that we run there.
//!
//! A leaf: knows no table and no job. The only place that quotes an identifier. Never creates anything.
//! Counterpart in PHP: `Illuminate\Database\Connectors`, `Illuminate\Database\Query\Grammars`.

#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod connection;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod database;
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
mod grammar;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
mod server;
#[cfg(feature = "sqlite")]
mod sqlite;

#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
pub use database::{Database, Session};
pub use server::{Server, Tls};

/// The kind of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// MySQL and MariaDB.
    Mysql,
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

impl Driver {
    /// The kind that Laravel calls so; nothing for one that only PHP speaks.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "mysql" | "mariadb" => Some(Driver::Mysql),
            "pgsql" => Some(Driver::Postgres),
            "sqlite" => Some(Driver::Sqlite),
            _ => None,
        }
    }

    /// The cargo feature without which a build does not speak it, where this build is without it.
    pub fn missing_feature(self) -> Option<&'static str> {
        match self {
            Driver::Mysql => (!cfg!(feature = "mysql")).then_some("mysql"),
            Driver::Postgres => (!cfg!(feature = "postgres")).then_some("postgres"),
            Driver::Sqlite => (!cfg!(feature = "sqlite")).then_some("sqlite"),
        }
    }
}

/// Why a database did not do as it was told; never with a password.
#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No server of the connection lets us in.
    #[error("cannot connect to {server}: {source}")]
    Connect {
        /// The last one tried.
        server: String,
        /// What it said.
        source: sqlx::Error,
    },
    /// An answer has not come.
    #[error("no answer from {server} within {seconds} seconds")]
    NoAnswer {
        /// The server.
        server: String,
        /// How long we waited.
        seconds: u64,
    },
    /// A connection without a server.
    #[error("the database connection names no host: give it one in config/database.php")]
    NoServer,
    /// The database refused a statement.
    #[error(transparent)]
    Refused(#[from] sqlx::Error),
}

#[cfg(any(feature = "mysql", feature = "postgres", feature = "sqlite"))]
impl Error {
    /// True where this very row will never be taken: a value that its column cannot hold, a packet that is too large, a
    /// row that cannot be read.
    pub fn is_final(&self) -> bool {
        match self {
            Error::Refused(sqlx::Error::Decode(_)) => true,
            Error::Refused(sqlx::Error::Database(error)) => {
                #[cfg(feature = "mysql")]
                if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
                    && error.number() == 1153
                {
                    return true;
                }
                // SQLSTATE: data exceptions.
                error.code().is_some_and(|code| code.len() == 5 && code.starts_with("22"))
            }
            _ => false,
        }
    }

    /// Text that this database cannot hold: a NUL, or characters that its character set lacks.
    pub fn is_about_text(&self) -> bool {
        let Error::Refused(sqlx::Error::Database(error)) = self else { return false };
        #[cfg(feature = "mysql")]
        if let Some(error) = error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
            return mysql::is_about_text(error.number());
        }
        // PostgreSQL's character_not_in_repertoire, untranslatable_character.
        error.code().is_some_and(|code| code == "22021" || code == "22P05")
    }
}
