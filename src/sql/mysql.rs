//! Connecting to MySQL and MariaDB.
//!
//! The session refuses what it cannot store, whatever the app's `strict` says: a text cut short is a text lost.
//! Counterpart in PHP: `Illuminate\Database\Connectors\MySqlConnector`.

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};

use super::Server;

/// A connection whose session is set up.
pub(super) async fn connect(server: &Server) -> Result<MySqlConnection, sqlx::Error> {
    let mut connection = options(server).connect().await?;
    for statement in settings(server) {
        connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await?;
    }
    Ok(connection)
}

fn options(server: &Server) -> MySqlConnectOptions {
    let Server { host, port, socket, database, username, password, tls, .. } = server;
    // The library's own ideas of a session are left out: the time zone above all, by which timestamps are read.
    let mut options = MySqlConnectOptions::new().timezone(None).set_names(false);
    options = options.pipes_as_concat(false).no_engine_substitution(false).database(database);
    options = options.host(host.as_deref().unwrap_or("127.0.0.1")).port(port.unwrap_or(3306));
    if let Some(username) = username {
        options = options.username(username);
    }
    if let Some(password) = password {
        options = options.password(password);
    }
    if let Some(socket) = socket {
        return options.socket(socket).ssl_mode(MySqlSslMode::Disabled);
    }
    options = options.ssl_mode(match tls.mode.as_deref() {
        Some("prefer") => MySqlSslMode::Preferred,
        Some("require") => MySqlSslMode::Required,
        Some("verify-ca") => MySqlSslMode::VerifyCa,
        Some("verify-full") => MySqlSslMode::VerifyIdentity,
        _ => MySqlSslMode::Disabled,
    });
    if let Some(ca) = &tls.ca {
        options = options.ssl_ca(ca);
    }
    match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => options.ssl_client_cert(cert).ssl_client_key(key),
        _ => options,
    }
}

fn settings(server: &Server) -> Vec<String> {
    let Server { charset, collation, timezone, init, .. } = server;
    let text = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"));
    let mut names = format!("set names {}", text(charset.as_deref().unwrap_or("utf8mb4")));
    if let (Some(_), Some(collation)) = (charset, collation) {
        names.push_str(&format!(" collate {}", text(collation)));
    }
    let mut settings: Vec<String> = init.iter().cloned().collect();
    settings.push(names);
    settings.extend(timezone.as_deref().map(|zone| format!("set time_zone = {}", text(zone))));
    settings.push(
        "set session sql_mode = 'STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'".to_owned(),
    );
    settings
}

/// Error numbers of text that a column or a character set cannot hold.
pub(super) fn is_about_text(number: u16) -> bool {
    // Incorrect string value; invalid character string; cannot convert string.
    matches!(number, 1366 | 1300 | 3854 | 3988)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_the_apps_and_strict() {
        let server = Server {
            charset: Some("utf8mb4".into()),
            collation: Some("utf8mb4_unicode_ci".into()),
            timezone: Some("+00:00".into()),
            ..Server::default()
        };
        let settings = settings(&server);
        assert_eq!(settings[0], "set names 'utf8mb4' collate 'utf8mb4_unicode_ci'");
        assert_eq!(settings[1], "set time_zone = '+00:00'");
        assert!(settings[2].contains("STRICT_ALL_TABLES"));
    }
}
