//! The `failed_jobs` table keyed by uuid, in SQLite.
//!
//! Never creates a file or a table: that is the app's migrations' business.
//! Counterpart in PHP: `Illuminate\Queue\Failed\DatabaseUuidFailedJobProvider`.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, NaiveDateTime, TimeZone};
use chrono_tz::Tz;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use sqlx::{AssertSqlSafe, Row};

use super::{Error, FailedJob, FailedJobStore};
use crate::queue::BoxFuture;

/// `Y-m-d H:i:s`.
const DATE: &str = "%Y-%m-%d %H:%M:%S";

/// Failed jobs in a table of an SQLite database that PHP reads and writes, too.
#[derive(Clone, Debug)]
pub struct SqliteStore {
    pool: SqlitePool,
    table: String,
    timezone: Tz,
}

impl SqliteStore {
    /// The table in the database file at `path`; times are written in the app's timezone, as PHP does.
    ///
    /// # Errors
    /// Where there is no such file. It is opened at the first use.
    pub fn open(path: &Path, table: &str, timezone: Tz) -> Result<Self, Error> {
        if !path.is_file() {
            return Err(Error::NoDatabase(path.display().to_string()));
        }
        let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new().max_connections(2).connect_lazy_with(options);
        Ok(SqliteStore { pool, table: table.to_owned(), timezone })
    }

    fn sql(&self, sql: &str) -> AssertSqlSafe<String> {
        AssertSqlSafe(sql.replace("{table}", &format!("\"{}\"", self.table.replace('"', "\"\""))))
    }

    fn error(&self, doing: &'static str) -> impl FnOnce(sqlx::Error) -> Error {
        let table = self.table.clone();
        move |source| Error::Sql { doing, table, source }
    }

    async fn record(&self, job: &FailedJob) -> Result<(), Error> {
        let failed_at = DateTime::from_timestamp(job.failed_at, 0).unwrap_or_default();
        let failed_at = failed_at.with_timezone(&self.timezone).format(DATE).to_string();
        let payload = String::from_utf8_lossy(&job.payload);
        // No `on conflict`: it needs a unique index, which a hand-made table may lack.
        let doing = self.error("recording a failed job");
        let write = async {
            let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::query(self.sql("delete from {table} where uuid = ?"))
                .bind(&job.uuid)
                .execute(&mut *transaction)
                .await?;
            sqlx::query(self.sql(
                "insert into {table} (uuid, connection, queue, payload, exception, failed_at) values (?, ?, ?, ?, ?, ?)",
            ))
            .bind(&job.uuid)
            .bind(&job.connection)
            .bind(&job.queue)
            .bind(&*payload)
            .bind(&job.exception)
            .bind(failed_at)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await
        };
        write.await.map_err(doing)
    }

    async fn list(&self) -> Result<Vec<FailedJob>, Error> {
        let sql = self.sql(
            "select uuid, connection, queue, payload, exception, cast(failed_at as text) failed_at from {table} order by id desc",
        );
        let rows = sqlx::query(sql).fetch_all(&self.pool).await.map_err(self.error("reading failed jobs"))?;
        let job = |row: sqlx::sqlite::SqliteRow| {
            let failed_at: String = row.try_get("failed_at")?;
            let local = NaiveDateTime::parse_from_str(&failed_at, DATE).unwrap_or_default();
            let failed_at = self.timezone.from_local_datetime(&local).earliest();
            Ok(FailedJob {
                uuid: row.try_get("uuid")?,
                connection: row.try_get("connection")?,
                queue: row.try_get("queue")?,
                payload: Bytes::from(row.try_get::<String, _>("payload")?),
                exception: row.try_get("exception")?,
                failed_at: failed_at.map_or(0, |at| at.timestamp()),
            })
        };
        rows.into_iter().map(job).collect::<Result<_, _>>().map_err(self.error("reading failed jobs"))
    }
}

impl FailedJobStore for SqliteStore {
    fn record<'a>(&'a self, job: &'a FailedJob) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(self.record(job))
    }

    fn withdraw<'a>(&'a self, job: &'a FailedJob) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let sql = self.sql("delete from {table} where uuid = ? and payload = ? and exception = ?");
            let payload = String::from_utf8_lossy(&job.payload);
            let query = sqlx::query(sql).bind(&job.uuid).bind(payload).bind(&job.exception);
            let done = query.execute(&self.pool).await;
            done.map(drop).map_err(self.error("withdrawing a failed job"))
        })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<FailedJob>, Error>> {
        Box::pin(self.list())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Payload;

    async fn store(directory: &Path) -> SqliteStore {
        let path = directory.join("database.sqlite");
        std::fs::write(&path, "").unwrap();
        let store = SqliteStore::open(&path, "failed_jobs", chrono_tz::Europe::Berlin).unwrap();
        let table = "create table failed_jobs (id integer primary key autoincrement, uuid varchar not null, connection \
                     text not null, queue text not null, payload text not null, exception text not null, failed_at \
                     datetime default CURRENT_TIMESTAMP not null)";
        sqlx::query(table).execute(&store.pool).await.unwrap();
        store
    }

    fn failed(json: &str, exception: &str) -> FailedJob {
        FailedJob::new(
            "redis",
            "default",
            &Payload::parse(json.as_bytes().to_vec()).unwrap(),
            exception.into(),
            1_700_000_000,
        )
    }

    #[tokio::test]
    async fn a_job_recorded_twice_is_one_row_and_can_be_withdrawn() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(directory.path()).await;
        store.record(&failed(r#"{"uuid":"a"}"#, "first")).await.unwrap();
        store.record(&failed(r#"{"uuid":"b"}"#, "other")).await.unwrap();
        store.record(&failed(r#"{"uuid":"a"}"#, "second")).await.unwrap();
        let expected = [failed(r#"{"uuid":"a"}"#, "second"), failed(r#"{"uuid":"b"}"#, "other")];
        assert_eq!(store.list().await.unwrap(), expected);
        store.withdraw(&failed(r#"{"uuid":"a"}"#, "first")).await.unwrap();
        assert_eq!(store.list().await.unwrap(), expected, "somebody else's by now");
        store.withdraw(&expected[0]).await.unwrap();
        assert_eq!(store.list().await.unwrap(), &expected[1..]);
    }

    #[tokio::test]
    async fn times_are_the_apps() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(directory.path()).await;
        store.record(&failed(r#"{"uuid":"a"}"#, "x")).await.unwrap();
        let (at,): (String,) = sqlx::query_as("select cast(failed_at as text) from failed_jobs")
            .fetch_one(&store.pool)
            .await
            .unwrap();
        assert_eq!(at, "2023-11-14 23:13:20");
    }

    #[test]
    fn a_missing_database_is_named() {
        let error = SqliteStore::open(Path::new("no/such.sqlite"), "failed_jobs", Tz::UTC).unwrap_err();
        assert!(error.to_string().contains("[no/such.sqlite] does not exist"), "{error}");
    }

    #[test]
    fn a_payload_without_uuid_gets_one_from_its_bytes() {
        assert_eq!(failed("{}", "x").uuid, failed("{}", "y").uuid);
        assert_ne!(failed("{}", "x").uuid, failed("{ }", "x").uuid);
    }
}
