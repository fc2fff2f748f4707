//! `queue.failed` and the database it names, down to the servers that a failed job may be written to.
//!
//! Never dials. Counterpart in PHP: `Illuminate\Queue\QueueServiceProvider::registerFailedJobServices`,
//! `Illuminate\Database\Connectors\ConnectionFactory`.

use super::super::tree::Tree;
use super::super::url;
use super::found::Found;
use super::resolve::{int, text};
use super::{AppDatabase, AppFailed};
use crate::sql::{Server, Tls};

pub(super) fn resolved(found: &Found) -> Result<AppFailed, String> {
    let config = &found.config;
    let settings = config.get("queue.failed").cloned().unwrap_or_default();
    let text_of = |path: &str| text(config, path);
    let driver = match (found.failer.as_deref(), settings.at("driver")) {
        (Some(class), _) => named(class).to_owned(),
        (None, Some(_)) => text_of("queue.failed.driver")?.unwrap_or_else(|| "null".to_owned()),
        (None, None) if settings.get("table").is_some() => "database".to_owned(),
        (None, None) => "null".to_owned(),
    };
    let name = match text_of("queue.failed.database")? {
        Some(name) => name,
        None => text_of("database.default")?.unwrap_or_default(),
    };
    // "mysql::write" is the connection mysql, too.
    let name = name.trim_end_matches("::read").trim_end_matches("::write").to_owned();
    let connection = config.get(&format!("database.connections.{name}")).cloned().unwrap_or_default();
    let nine = super::version(&found.version) >= (9, 0);
    let of_storage = |path: &str| found.storage.join(path).display().to_string();
    let locks = match text_of("cache.stores.file.lock_path")? {
        Some(path) => Some(path),
        None => text_of("cache.stores.file.path")?,
    };
    Ok(AppFailed {
        driver,
        table: text_of("queue.failed.table")?.unwrap_or_else(|| "failed_jobs".to_owned()),
        path: text_of("queue.failed.path")?.unwrap_or_else(|| of_storage("framework/cache/failed-jobs.json")),
        limit: int(config, "queue.failed.limit")?.and_then(|limit| limit.try_into().ok()).unwrap_or(100),
        locks: locks.unwrap_or_else(|| of_storage("framework/cache/data")),
        database: database(&name, &connection, nine, found.mysql_socket.as_deref())?,
    })
}

/// A connection by its settings. `nine` is Laravel 9 and later, whose PostgreSQL has a `search_path`.
pub(super) fn database(
    name: &str,
    settings: &Tree,
    nine: bool,
    mysql_socket: Option<&str>,
) -> Result<AppDatabase, String> {
    let settings = url::parsed(settings).map_err(|what| format!("database.connections.{name} {what}"))?;
    Ok(AppDatabase {
        driver: text(&settings, "driver")?,
        servers: servers(&settings, nine, mysql_socket)?,
        prefix: text(&settings, "prefix")?.unwrap_or_default(),
        name: name.to_owned(),
    })
}

/// The driver that makes a store of this class.
fn named(class: &str) -> &str {
    match class.trim_start_matches("Illuminate\\Queue\\Failed\\") {
        "DatabaseUuidFailedJobProvider" => "database-uuids",
        "DatabaseFailedJobProvider" => "database",
        "FileFailedJobProvider" => "file",
        "DynamoDbFailedJobProvider" => "dynamodb",
        "NullFailedJobProvider" => "null",
        _ => class,
    }
}

/// A list's values, or the one value.
fn listed(value: Option<&Tree>) -> Vec<Tree> {
    match value {
        None => Vec::new(),
        Some(Tree::Array(entries)) => entries.iter().map(|(_, value)| value.clone()).collect(),
        Some(one) => vec![one.clone()],
    }
}

fn servers(connection: &Tree, nine: bool, mysql_socket: Option<&str>) -> Result<Vec<Server>, String> {
    // Laravel looks at `write` only where there is a `read`; of several it takes any.
    let write = connection.get("read").and_then(|_| connection.get("write")).cloned();
    let writes = match write {
        Some(list) if list.at("0").is_some() => listed(Some(&list)),
        one => vec![one.unwrap_or_default()],
    };
    let rest = connection.without("read").without("write");
    let mut servers = Vec::new();
    for write in writes {
        servers.extend(of_one(&rest.merged(&write), nine, mysql_socket)?);
    }
    Ok(servers)
}

fn of_one(server: &Tree, nine: bool, mysql_socket: Option<&str>) -> Result<Vec<Server>, String> {
    let driver = text(server, "driver")?;
    let postgres = driver.as_deref() == Some("pgsql");
    let filled = |name: &str| Ok::<_, String>(text(server, name)?.filter(|text| !text.is_empty()));
    let either = |first: &str, name: &str| match filled(first)? {
        Some(text) if postgres => Ok(Some(text)),
        _ => filled(name),
    };
    let mut hosts: Vec<Option<String>> = listed(server.get("host")).iter().map(Tree::text).collect();
    if postgres {
        // libpq's own list.
        let split = |host: Option<String>| {
            host.unwrap_or_default().split(',').map(|host| Some(host.to_owned())).collect::<Vec<_>>()
        };
        hosts = hosts.into_iter().flat_map(split).collect();
    }
    if hosts.is_empty() {
        hosts.push(None);
    }
    // The numbers of PDO's constants.
    let pdo = |number: u32| server.get("options").and_then(|options| options.get(&number.to_string()));
    let pdo_text = |number: u32| pdo(number).and_then(Tree::text);
    let tls = if postgres {
        let path = |name: &str| Ok::<_, String>(filled(name)?.map(Into::into));
        Tls {
            mode: filled("sslmode")?,
            ca: path("sslrootcert")?,
            cert: path("sslcert")?,
            key: path("sslkey")?,
        }
    } else {
        let asked =
            [1007, 1008, 1009, 1010, 1011].into_iter().any(|number| pdo(number).is_some_and(Tree::is_truthy));
        let verified = pdo(1014).is_none_or(Tree::is_truthy);
        let mode = asked.then(|| if verified { "verify-full" } else { "require" }.to_owned());
        let path = |number| pdo_text(number).map(Into::into);
        Tls { mode, ca: path(1009), cert: path(1008), key: path(1007) }
    };
    let path = server.get("search_path").filter(|_| nine).or_else(|| server.get("schema"));
    let search_path: Vec<String> = match path {
        Some(Tree::Text(names)) if nine => {
            let between = |c: char| c.is_whitespace() || ",\"'".contains(c);
            names.split(between).filter(|name| !name.is_empty()).map(str::to_owned).collect()
        }
        path => listed(path).iter().filter_map(Tree::text).collect(),
    };
    let port = either("connect_via_port", "port")?.and_then(|port| Tree::Text(port).int());
    let mut servers = Vec::new();
    for host in hosts {
        let host = host.filter(|host| !host.is_empty());
        let mut socket = if postgres { None } else { filled("unix_socket")? };
        if !postgres
            && driver.as_deref() != Some("sqlite")
            && socket.is_none()
            && host.as_deref() == Some("localhost")
        {
            // So does PHP's client library, whatever the port.
            socket = mysql_socket.map(str::to_owned);
        }
        servers.push(Server {
            host,
            port: port.and_then(|port| port.try_into().ok()),
            socket: socket.map(Into::into),
            database: either("connect_via_database", "database")?.unwrap_or_default(),
            username: filled("username")?,
            password: filled("password")?,
            charset: filled("charset")?,
            collation: filled("collation")?,
            timezone: filled("timezone")?,
            search_path: search_path.clone(),
            init: pdo_text(1002).filter(|_| !postgres),
            tls: tls.clone(),
        });
    }
    Ok(servers)
}
