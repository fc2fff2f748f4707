//! A database connection of the app: the servers it may be on, and a few open connections that are used again.
//!
//! Opens nothing before it is asked to, and dials anew whenever it has to: a database that is down ends nobody. Tells
//! why it cannot connect at once, where a pool would try in silence until its time is up.
//! Counterpart in PHP: `Illuminate\Database\DatabaseManager`.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::connection::{Connection, Texts};
use super::{Driver, Error, Server};

/// How many connections there are at most.
const MOST: usize = 4;
/// How long connecting may take, and a ping.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a statement may take; SQLite itself waits ten seconds for a writer.
const ANSWER: Duration = Duration::from_secs(30);

/// A database connection of the app.
#[derive(Clone, Debug)]
pub struct Database(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    driver: Driver,
    servers: Vec<Server>,
    idle: Mutex<Vec<(Connection, String)>>,
    permits: Arc<Semaphore>,
}

/// A transaction. Dropped before [`commit`](Self::commit) it is rolled back, and its connection is closed.
#[derive(Debug)]
pub struct Session {
    connection: Connection,
    server: String,
    database: Arc<Shared>,
    _permit: OwnedSemaphorePermit,
}

impl Database {
    /// The database that any of these servers serves; nothing is opened yet.
    pub fn new(driver: Driver, servers: Vec<Server>) -> Self {
        let permits = Arc::new(Semaphore::new(MOST));
        Database(Arc::new(Shared { driver, servers, idle: Mutex::default(), permits }))
    }

    /// The kind of the database.
    pub fn driver(&self) -> Driver {
        self.0.driver
    }

    /// The SQLite file, where there is none.
    pub fn missing_file(&self) -> Option<String> {
        let files = self.0.servers.iter().filter(|_| self.driver() == Driver::Sqlite);
        files.map(|server| &server.database).find(|path| !Path::new(path).is_file()).cloned()
    }

    /// Begins a transaction, on a connection that answers.
    ///
    /// # Errors
    /// Where no server can be connected to; the last one's reason.
    pub async fn begin(&self) -> Result<Session, Error> {
        let permit = self.0.permits.clone().acquire_owned().await.expect("never closed");
        let (connection, server) = self.0.connection().await?;
        let mut session = Session { connection, server, database: self.0.clone(), _permit: permit };
        session.run(session.database.driver.begin()).await?;
        Ok(session)
    }
}

impl Shared {
    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(Connection, String)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connection(&self) -> Result<(Connection, String), Error> {
        loop {
            let kept = self.idle().pop();
            let Some((mut connection, server)) = kept else { return self.open().await };
            // The server may have been restarted since.
            if matches!(timeout(CONNECT, connection.ping()).await, Ok(Ok(()))) {
                return Ok((connection, server));
            }
        }
    }

    /// One server after the other, from any of them on, as PHP shuffles them.
    async fn open(&self) -> Result<(Connection, String), Error> {
        let count = self.servers.len();
        let first = fastrand::usize(..count.max(1));
        let mut last = Error::NoServer;
        for server in (first..first + count).map(|n| &self.servers[n % count]) {
            let name = server.to_string();
            last = match timeout(CONNECT, Connection::open(self.driver, server)).await {
                Ok(Ok(connection)) => return Ok((connection, name)),
                Ok(Err(source)) => Error::Connect { server: name, source },
                Err(_) => Error::NoAnswer { server: name, seconds: CONNECT.as_secs() },
            };
        }
        Err(last)
    }
}

impl Session {
    /// The kind of the database.
    pub fn driver(&self) -> Driver {
        self.database.driver
    }

    /// Inserts one row, every value as text.
    ///
    /// # Errors
    /// Where the database refuses it or is gone.
    pub async fn insert(&mut self, table: &str, row: &[(&str, &str)]) -> Result<(), Error> {
        let columns: Vec<&str> = row.iter().map(|(column, _)| *column).collect();
        let sql = self.driver().insert(table, &columns);
        if self.driver() == Driver::Postgres {
            let row: serde_json::Map<_, _> =
                row.iter().map(|(column, value)| ((*column).to_owned(), (*value).into())).collect();
            return self.execute(&sql, &[&serde_json::Value::Object(row).to_string()]).await;
        }
        let values: Vec<&str> = row.iter().map(|(_, value)| *value).collect();
        self.execute(&sql, &values).await
    }

    /// Runs a statement; its identifiers are quoted and its placeholders this database's.
    ///
    /// # Errors
    /// Where the database refuses it or is gone.
    pub async fn execute(&mut self, sql: &str, values: &[&str]) -> Result<(), Error> {
        let done = timeout(ANSWER, self.connection.execute(sql, values)).await;
        answered(done, &self.server)
    }

    /// The rows of a query that selects nothing but text.
    ///
    /// # Errors
    /// Where the database refuses it or is gone.
    pub async fn rows(&mut self, sql: &str, values: &[&str]) -> Result<Vec<Texts>, Error> {
        let done = timeout(ANSWER, self.connection.rows(sql, values)).await;
        answered(done, &self.server)
    }

    /// Makes it so.
    ///
    /// # Errors
    /// Where that is not certain.
    pub async fn commit(mut self) -> Result<(), Error> {
        self.run("commit").await?;
        let Session { connection, server, database, .. } = self;
        database.idle().push((connection, server));
        Ok(())
    }

    async fn run(&mut self, sql: &str) -> Result<(), Error> {
        let done = timeout(ANSWER, self.connection.run(sql)).await;
        answered(done, &self.server)
    }
}

fn answered<T>(
    done: Result<Result<T, sqlx::Error>, tokio::time::error::Elapsed>,
    server: &str,
) -> Result<T, Error> {
    match done {
        Ok(done) => Ok(done?),
        Err(_) => Err(Error::NoAnswer { server: server.to_owned(), seconds: ANSWER.as_secs() }),
    }
}
