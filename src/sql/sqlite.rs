//! Opening an SQLite file. Never creates one.
//!
//! Counterpart in PHP: `Illuminate\Database\Connectors\SQLiteConnector`.

use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::Server;

/// How long we wait for another process that writes.
const BUSY: Duration = Duration::from_secs(10);

/// The file, open.
pub(super) async fn connect(server: &Server) -> Result<SqliteConnection, sqlx::Error> {
    SqliteConnectOptions::new().filename(&server.database).busy_timeout(BUSY).connect().await
}
