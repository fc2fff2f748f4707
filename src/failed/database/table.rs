//! The table of failed jobs as an operator has it in hand: rows by their id, to be listed, taken out or swept away.
//!
//! Never touches a queue: who pushes a job again does so before its row is forgotten, so that a crash between the two
//! leaves the job in both places. Counterpart in PHP: `all`, `find`, `forget` and `flush` of `think\queue\failed\Database`.

use bytes::Bytes;

use super::{DatabaseStore, Error};
use crate::sql::{self, Session};

/// A failed job's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRow {
    /// The number that the table gave it.
    pub id: String,
    /// The queue connection's name.
    pub connection: String,
    /// The queue, without prefix.
    pub queue: String,
    /// The payload as it was popped.
    pub payload: Bytes,
    /// When it failed, as the table shows it.
    pub failed_at: String,
}

impl DatabaseStore {
    /// Every row, the newest first.
    ///
    /// # Errors
    /// Where the database refuses or is gone, as with the other verbs.
    pub async fn rows(&self) -> Result<Vec<FailedRow>, Error> {
        let rows = async {
            let mut session = self.database.begin().await?;
            let rows = self.select(&mut session, "order by id desc", &[]).await?;
            session.commit().await.map(|()| rows)
        };
        rows.await.map_err(self.told("reading failed jobs"))
    }

    /// The row with this id.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub async fn row(&self, id: &str) -> Result<Option<FailedRow>, Error> {
        let row = async {
            let mut session = self.database.begin().await?;
            let row = self.select_one(&mut session, id).await?;
            session.commit().await.map(|()| row)
        };
        row.await.map_err(self.told("looking for a failed job"))
    }

    /// Deletes the row with this id; false where there is none.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub async fn forget(&self, id: &str) -> Result<bool, Error> {
        let forgotten = async {
            let mut session = self.database.begin().await?;
            let known = self.select_one(&mut session, id).await?.is_some();
            if known {
                let (driver, table) = (session.driver(), session.driver().quoted(&self.table));
                session
                    .execute(&format!("delete from {table} where {}", driver.equals("id", 1)), &[id])
                    .await?;
            }
            session.commit().await.map(|()| known)
        };
        forgotten.await.map_err(self.told("deleting a failed job"))
    }

    /// Deletes every row.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub async fn flush(&self) -> Result<(), Error> {
        let flushed = async {
            let mut session = self.database.begin().await?;
            let table = session.driver().quoted(&self.table);
            session.execute(&format!("delete from {table}"), &[]).await?;
            session.commit().await
        };
        flushed.await.map_err(self.told("deleting all failed jobs"))
    }

    async fn select_one(&self, session: &mut Session, id: &str) -> Result<Option<FailedRow>, sql::Error> {
        // MySQL would take any text that begins with the number.
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(None);
        }
        let place = format!("where {}", session.driver().equals("id", 1));
        Ok(self.select(session, &place, &[id]).await?.pop())
    }

    async fn select(
        &self,
        session: &mut Session,
        place: &str,
        values: &[&str],
    ) -> Result<Vec<FailedRow>, sql::Error> {
        let driver = session.driver();
        let columns = ["id", "connection", "queue", "payload", self.time_column];
        let columns = columns.map(|column| driver.text_of(column)).join(", ");
        let sql = format!("select {columns} from {} {place}", driver.quoted(&self.table));
        let row = |row: Vec<Option<String>>| {
            let mut row = row.into_iter().map(Option::unwrap_or_default);
            let mut next = || row.next().unwrap_or_default();
            let (id, connection, queue, payload) = (next(), next(), next(), Bytes::from(next()));
            FailedRow { id, connection, queue, payload, failed_at: next() }
        };
        Ok(session.rows(&sql, values).await?.into_iter().map(row).collect())
    }
}
