//! The `failed_jobs` table in MySQL, MariaDB, PostgreSQL or SQLite: PHP's rows, one a job.
//!
//! Never creates a database or a table: that is the app's migrations' business. Both of Laravel's providers: keyed by
//! uuid, and by id alone. The latter's table has no column that names the job, so an earlier row of it is looked for
//! by the uuid in the payload among the newest thousand rows: enough for a record that was made twice, and bounded. An earlier row further down stays, as PHP would leave it.
//! Counterpart in PHP: `Illuminate\Queue\Failed\DatabaseUuidFailedJobProvider`, `DatabaseFailedJobProvider`.

mod form;
mod table;

use bytes::Bytes;
use chrono::{DateTime, NaiveDateTime, TimeZone};
use chrono_tz::Tz;

use super::{Error, FailedJob, FailedJobStore, KeyedBy};
use crate::job::Payload;
use crate::queue::BoxFuture;
use crate::sql::{self, Database, Session};
use form::Form;
pub use table::FailedRow;

/// `Y-m-d H:i:s`.
const DATE: &str = "%Y-%m-%d %H:%M:%S";

/// How many rows are searched for a job that has no column of its own.
const NEWEST: u32 = 1000;

/// Failed jobs in a table that PHP reads and writes, too.
#[derive(Clone, Debug)]
pub struct DatabaseStore {
    database: Database,
    table: String,
    key: KeyedBy,
    timezone: Tz,
    time_column: &'static str,
}

impl DatabaseStore {
    /// The table, prefix included; times are written in the app's timezone, as PHP does. Connects at the first use.
    ///
    /// # Errors
    /// Where there is no such SQLite file.
    pub fn new(database: Database, table: &str, key: KeyedBy, timezone: Tz) -> Result<Self, Error> {
        match database.missing_file() {
            Some(path) => Err(Error::NoDatabase(path)),
            None => {
                let (table, time_column) = (table.to_owned(), "failed_at");
                Ok(DatabaseStore { database, table, key, timezone, time_column })
            }
        }
    }

    /// The column that says when, where it is not `failed_at`: `fail_time` of think-queue from 3.0.3 on.
    #[must_use]
    pub fn time_column(self, time_column: &'static str) -> Self {
        DatabaseStore { time_column, ..self }
    }

    fn told(&self, doing: &'static str) -> impl FnOnce(sql::Error) -> Error {
        let table = self.table.clone();
        move |source| Error::Sql { doing, table, source }
    }

    /// The record in the first form that the database takes.
    async fn record(&self, job: &FailedJob) -> Result<(), sql::Error> {
        let mut forms = Form::all(job).into_iter().peekable();
        while let Some(form) = forms.next() {
            match self.write(job, &form).await {
                Err(error) if error.is_about_text() && forms.peek().is_some() => {}
                done => return done,
            }
        }
        Ok(())
    }

    async fn write(&self, job: &FailedJob, form: &Form) -> Result<(), sql::Error> {
        let failed_at = DateTime::from_timestamp(job.failed_at, 0).unwrap_or_default();
        let failed_at = failed_at.with_timezone(&self.timezone).format(DATE).to_string();
        let mut session = self.database.begin().await?;
        // Looked for first: MySQL locks the place of a row that is not there, against other workers' rows.
        // A job that its payload does not name is told from its equals by nothing but its own uuid.
        let findable = self.key == KeyedBy::Uuid || job.is_named();
        let earlier = if findable { self.rows_of(job, &mut session).await? } else { Vec::new() };
        self.delete(earlier.iter().map(|row| row.id), &mut session).await?;
        let mut row = vec![
            ("uuid", job.uuid.as_str()),
            ("connection", &job.connection),
            ("queue", &job.queue),
            ("payload", &form.payload),
            ("exception", &form.exception),
            (self.time_column, &failed_at),
        ];
        if self.key == KeyedBy::Id {
            row.remove(0);
        }
        session.insert(&self.table, &row).await?;
        session.commit().await
    }

    async fn withdraw(&self, job: &FailedJob) -> Result<(), sql::Error> {
        let mut session = self.database.begin().await?;
        let rows = self.rows_of(job, &mut session).await?;
        let forms = Form::all(job);
        let ours = rows.into_iter().find(|row| forms.contains(&row.form));
        self.delete(ours.map(|row| row.id).into_iter(), &mut session).await?;
        session.commit().await
    }

    /// The rows of this very job, the newest first.
    async fn rows_of(&self, job: &FailedJob, session: &mut Session) -> Result<Vec<Found>, sql::Error> {
        let driver = session.driver();
        let table = driver.quoted(&self.table);
        let [id, payload, exception] = ["id", "payload", "exception"].map(|column| driver.text_of(column));
        let (place, value) = match self.key {
            KeyedBy::Uuid => (driver.equals("uuid", 1), job.uuid.as_str().into()),
            KeyedBy::Id => {
                let last = format!("select id from {table} order by id desc limit 1 offset {NEWEST}");
                let newest = format!("id > coalesce(({last}), 0)");
                let text = String::from_utf8_lossy(&job.payload);
                let mark = if text.contains(&job.uuid) { job.uuid.as_str().into() } else { text };
                (format!("{newest} and {}", driver.contains("payload", 1)), mark)
            }
        };
        let sql = format!("select {id}, {payload}, {exception} from {table} where {place} order by id desc");
        let rows = session.rows(&sql, &[&value]).await?;
        let rows = rows.into_iter().map(Found::read).collect::<Result<Vec<_>, _>>()?;
        let same = |row: &Found| match self.key {
            KeyedBy::Uuid => true,
            KeyedBy::Id => Payload::parse(row.form.payload.clone().into_bytes())
                .is_ok_and(|payload| super::own_uuid(&payload).is_none_or(|uuid| uuid == job.uuid)),
        };
        Ok(rows.into_iter().filter(same).collect())
    }

    async fn delete(&self, ids: impl Iterator<Item = i64>, session: &mut Session) -> Result<(), sql::Error> {
        let ids: Vec<String> = ids.map(|id| id.to_string()).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let table = session.driver().quoted(&self.table);
        session.execute(&format!("delete from {table} where id in ({})", ids.join(", ")), &[]).await
    }

    async fn list(&self) -> Result<Vec<FailedJob>, sql::Error> {
        let mut session = self.database.begin().await?;
        let driver = session.driver();
        let uuid = if self.key == KeyedBy::Uuid { "uuid" } else { "id" };
        let columns = [uuid, "connection", "queue", "payload", "exception", self.time_column];
        let columns = columns.map(|column| driver.text_of(column)).join(", ");
        let sql = format!("select {columns} from {} order by id desc", driver.quoted(&self.table));
        let rows = session.rows(&sql, &[]).await?;
        session.commit().await?;
        let job = |row: Vec<Option<String>>| {
            let mut row = row.into_iter().map(Option::unwrap_or_default);
            let mut next = || row.next().unwrap_or_default();
            let (uuid, connection, queue, payload) = (next(), next(), next(), Bytes::from(next()));
            let (exception, failed_at) = (next(), next());
            let uuid = match self.key {
                KeyedBy::Uuid => uuid,
                KeyedBy::Id => {
                    let payload = Payload::parse(payload.clone()).ok();
                    payload.and_then(|payload| super::own_uuid(&payload)).unwrap_or(uuid)
                }
            };
            let failed_at = self.moment(&failed_at);
            FailedJob { uuid, connection, queue, payload, exception, failed_at }
        };
        Ok(rows.into_iter().map(job).collect())
    }

    fn moment(&self, text: &str) -> i64 {
        let local = NaiveDateTime::parse_from_str(text.get(..19).unwrap_or_default(), DATE);
        let at = local.ok().and_then(|local| self.timezone.from_local_datetime(&local).earliest());
        at.map_or(0, |at| at.timestamp())
    }
}

/// A row that was found.
struct Found {
    id: i64,
    form: Form,
}

impl Found {
    fn read(row: Vec<Option<String>>) -> Result<Self, sql::Error> {
        let mut row = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || row.next().unwrap_or_default();
        let id = next().parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
        Ok(Found { id, form: Form { payload: next(), exception: next() } })
    }
}

impl FailedJobStore for DatabaseStore {
    fn record<'a>(&'a self, job: &'a FailedJob) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { self.record(job).await.map_err(self.told("recording a failed job")) })
    }

    fn withdraw<'a>(&'a self, job: &'a FailedJob) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { self.withdraw(job).await.map_err(self.told("withdrawing a failed job")) })
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<FailedJob>, Error>> {
        Box::pin(async { self.list().await.map_err(self.told("reading failed jobs")) })
    }
}
