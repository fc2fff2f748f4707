//! Connecting to PostgreSQL.
//!
//! What the app's configuration leaves open is libpq's business, as in PHP: its variables, `.pgpass`, the local socket.
//! Two things differ from PHP: the session speaks UTF-8 whatever `charset` says, and without a `timezone` it is UTC's,
//! which counts only for `timestamptz` columns; Laravel's migrations make `timestamp`.
//! Counterpart in PHP: `Illuminate\Database\Connectors\PostgresConnector`.

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

use super::Server;

/// A connection whose session is set up.
pub(super) async fn connect(server: &Server) -> Result<PgConnection, sqlx::Error> {
    let mut connection = options(server)?.connect().await?;
    for statement in settings(server) {
        connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await?;
    }
    Ok(connection)
}

fn options(server: &Server) -> Result<PgConnectOptions, sqlx::Error> {
    let Server { host, port, database, username, password, tls, .. } = server;
    // Neither of these goes well with a pooler between us and the server.
    let mut options = PgConnectOptions::new().statement_cache_capacity(0).extra_float_digits(None);
    options = options.database(database);
    if let Some(port) = port {
        options = options.port(*port);
    }
    if let Some(host) = host {
        options = options.host(host);
    }
    if let Some(username) = username {
        options = options.username(username);
    }
    if let Some(password) = password {
        options = options.password(password);
    }
    if options.get_host().starts_with('/') {
        return Ok(options.ssl_mode(PgSslMode::Disable));
    }
    if let Some(ca) = &tls.ca {
        options = options.ssl_root_cert(ca);
    }
    if let (Some(cert), Some(key)) = (&tls.cert, &tls.key) {
        options = options.ssl_client_cert(cert).ssl_client_key(key);
    }
    Ok(match tls.mode.as_deref() {
        None => options,
        // libpq: with a root certificate at hand, it is held against it.
        Some("require") if tls.ca.is_some() => options.ssl_mode(PgSslMode::VerifyCa),
        // sqlx would never encrypt; the nearest that it has would.
        Some("allow") => options.ssl_mode(PgSslMode::Prefer),
        Some(mode) => options.ssl_mode(mode.parse()?),
    })
}

fn settings(server: &Server) -> Vec<String> {
    let zone = server.timezone.as_deref();
    let zone = zone.map(|zone| format!("set time zone '{}'", zone.replace('\'', "''")));
    let path: Vec<String> = server.search_path.iter().map(|schema| quoted(schema)).collect();
    let path = (!path.is_empty()).then(|| format!("set search_path to {}", path.join(", ")));
    zone.into_iter().chain(path).collect()
}

/// A schema's name whole: a dot in it parts nothing.
fn quoted(schema: &str) -> String {
    format!("\"{}\"", schema.replace('"', "\"\""))
}
