//! One open connection of any kind. Never says which kind to the modules above: they see text in and text out.

use sqlx::{AssertSqlSafe, Connection as _, Executor, Row};

use super::{Driver, Server};

/// A row: each column as text.
pub(super) type Texts = Vec<Option<String>>;

/// A connection.
#[derive(Debug)]
pub(super) enum Connection {
    #[cfg(feature = "mysql")]
    Mysql(Box<sqlx::MySqlConnection>),
    #[cfg(feature = "postgres")]
    Postgres(Box<sqlx::PgConnection>),
    #[cfg(feature = "sqlite")]
    Sqlite(Box<sqlx::SqliteConnection>),
}

/// The same words for each kind.
macro_rules! with {
    ($connection:expr, $inner:ident => $do:expr) => {
        match $connection {
            #[cfg(feature = "mysql")]
            Connection::Mysql($inner) => $do,
            #[cfg(feature = "postgres")]
            Connection::Postgres($inner) => $do,
            #[cfg(feature = "sqlite")]
            Connection::Sqlite($inner) => $do,
        }
    };
}

impl Connection {
    /// Connects, and makes the session what PHP's would be.
    pub(super) async fn open(driver: Driver, server: &Server) -> Result<Self, sqlx::Error> {
        match driver {
            #[cfg(feature = "mysql")]
            Driver::Mysql => super::mysql::connect(server).await.map(Box::new).map(Connection::Mysql),
            #[cfg(feature = "postgres")]
            Driver::Postgres => {
                super::postgres::connect(server).await.map(Box::new).map(Connection::Postgres)
            }
            #[cfg(feature = "sqlite")]
            Driver::Sqlite => super::sqlite::connect(server).await.map(Box::new).map(Connection::Sqlite),
            #[allow(unreachable_patterns, reason = "a build may lack a kind")]
            other => {
                let feature = other.missing_feature().unwrap_or_default();
                let said = format!("this build lacks the cargo feature `{feature}`");
                Err(sqlx::Error::Configuration(said.into()))
            }
        }
    }

    /// Whether the other end still answers.
    pub(super) async fn ping(&mut self) -> Result<(), sqlx::Error> {
        with!(self, inner => inner.ping().await)
    }

    /// Runs a statement without values.
    pub(super) async fn run(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        with!(self, inner => inner.execute(sqlx::raw_sql(sql)).await.map(drop))
    }

    /// Runs a statement with values.
    pub(super) async fn execute(&mut self, sql: &str, values: &[&str]) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        with!(self, inner => {
            let query = values.iter().fold(sqlx::query(sql), |query, value| query.bind(*value));
            query.execute(&mut **inner).await.map(drop)
        })
    }

    /// The rows of a query all of whose columns are text.
    pub(super) async fn rows(&mut self, sql: &str, values: &[&str]) -> Result<Vec<Texts>, sqlx::Error> {
        let sql = AssertSqlSafe(sql.to_owned());
        with!(self, inner => {
            let query = values.iter().fold(sqlx::query(sql), |query, value| query.bind(*value));
            let rows = query.fetch_all(&mut **inner).await?;
            rows.iter().map(|row| (0..row.len()).map(|n| row.try_get_unchecked(n)).collect()).collect()
        })
    }
}
