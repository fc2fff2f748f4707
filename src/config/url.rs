//! A connection's `url` taken apart and laid over the rest of its settings.
//!
//! Never dials, never repeats a URL in a message. Counterpart in PHP: `Illuminate\Support\ConfigurationUrlParser`,
//! `parse_url`, `parse_str`.

use super::tree::Tree;

/// The settings with those of their `url` over them; a text alone is a URL. The error is a sentence's end.
pub(super) fn parsed(settings: &Tree) -> Result<Tree, &'static str> {
    let settings = match settings {
        Tree::Text(_) => Tree::array([("url", settings.clone())]),
        _ => settings.clone(),
    };
    let plain = settings.without("url");
    let Some(url) = settings.get("url").filter(|url| url.is_truthy()) else { return Ok(plain) };
    let url = url.text().ok_or("has a url that is no text")?;
    let url = Url::parse(&url).ok_or("has a url that is malformed")?;
    let mut over = Tree::Array(Vec::new());
    let mut put = |key: &str, value: Option<Tree>| {
        value.filter(|value| *value != Tree::Null).into_iter().for_each(|value| over.set(key, value));
    };
    put("driver", url.scheme.as_deref().map(|scheme| Tree::from(driver(scheme))));
    let path = url.path.as_deref().filter(|path| !matches!(*path, "" | "0" | "/"));
    put("database", path.map(|path| native(percent_decoded(path, false).get(1..).unwrap_or_default())));
    put("host", url.host.as_deref().map(|host| native(&percent_decoded(host, false))));
    put("port", url.port.map(|port| Tree::Int(port.into())));
    put("username", url.user.as_deref().map(|user| native(&percent_decoded(user, false))));
    put("password", url.password.as_deref().map(|password| native(&percent_decoded(password, false))));
    Ok(plain.merged(&over).merged(&query(url.query.as_deref().unwrap_or_default())))
}

fn driver(scheme: &str) -> &str {
    match scheme {
        "mssql" => "sqlsrv",
        "mysql2" => "mysql",
        "postgres" | "postgresql" => "pgsql",
        "sqlite3" => "sqlite",
        "redis" => "tcp",
        "rediss" => "tls",
        other => other,
    }
}

/// What is JSON becomes that: an all-digit password is a number.
fn native(text: &str) -> Tree {
    serde_json::from_str(text).map_or_else(|_| Tree::from(text), |json: serde_json::Value| json.into())
}

/// `a=1&b[c]=2`.
fn query(text: &str) -> Tree {
    let mut all = Tree::Array(Vec::new());
    for part in text.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        let (name, value) = (percent_decoded(name, true), native(&percent_decoded(value, true)));
        match name.split_once('[') {
            Some((outer, inner)) if inner.ends_with(']') => {
                let mut within = all.at(outer).cloned().unwrap_or_default();
                let inner = inner.trim_end_matches(']');
                let next = within.entries().len().to_string();
                within.set(if inner.is_empty() { &next } else { inner }, value);
                all.set(outer, within);
            }
            _ => all.set(&name.replace(['.', ' '], "_"), value),
        }
    }
    all
}

pub(super) fn percent_decoded(text: &str, form: bool) -> String {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        let code = text.get(at + 1..at + 3).filter(|code| code.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match (bytes[at], code) {
            (b'%', Some(code)) => {
                out.push(u8::from_str_radix(code, 16).unwrap_or_default());
                at += 2;
            }
            (b'+', _) if form => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// The parts that `parse_url` finds; nothing where it gives up.
#[derive(Debug, Default, PartialEq)]
struct Url {
    scheme: Option<String>,
    user: Option<String>,
    password: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    path: Option<String>,
    query: Option<String>,
}

impl Url {
    fn parse(text: &str) -> Option<Self> {
        // Laravel's own exception: an SQLite URL has no host.
        let sqlite = ["sqlite:///", "sqlite3:///"].iter().find(|start| text.starts_with(**start));
        let text = match sqlite {
            Some(start) => text.replacen(start, &format!("{}null/", &start[..start.len() - 1]), 1),
            None => text.to_owned(),
        };
        let mut url = Url::default();
        let scheme = |scheme: &str| {
            !scheme.is_empty()
                && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+.-".contains(&byte))
        };
        let (authority, rest) = match text.split_once("://").filter(|(before, _)| scheme(before)) {
            Some((scheme, rest)) => {
                url.scheme = Some(scheme.to_owned());
                let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                (Some(&rest[..end]), &rest[end..])
            }
            None => match text.strip_prefix("//") {
                Some(rest) => {
                    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
                    (Some(&rest[..end]), &rest[end..])
                }
                // `localhost:6379` is a host and a port; anything else without slashes is a path.
                None => match text.split_once(':') {
                    Some((host, rest)) if scheme(host) => {
                        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
                        match (digits, &rest[digits..]) {
                            (1..=5, after) if after.is_empty() || after.starts_with('/') => {
                                (Some(&text[..host.len() + 1 + digits]), after)
                            }
                            _ => {
                                url.scheme = Some(host.to_owned());
                                (None, rest)
                            }
                        }
                    }
                    _ => (None, text.as_str()),
                },
            },
        };
        if let Some(authority) = authority {
            let host = match authority.rsplit_once('@') {
                Some((login, host)) => {
                    let (user, password) = match login.split_once(':') {
                        Some((user, password)) => (user, Some(password)),
                        None => (login, None),
                    };
                    url.user = Some(user.to_owned());
                    url.password = password.map(str::to_owned);
                    host
                }
                None => authority,
            };
            let bracketed = host.starts_with('[') && host.ends_with(']');
            let (host, port) = match host.rsplit_once(':').filter(|_| !bracketed) {
                Some((host, "")) => (host, None),
                Some((host, port)) => (host, Some(port.parse().ok()?)),
                None => (host, None),
            };
            if host.is_empty() {
                return None;
            }
            (url.host, url.port) = (Some(host.to_owned()), port);
        }
        let rest = rest.split_once('#').map_or(rest, |(rest, _)| rest);
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        url.path = Some(path.to_owned()).filter(|path| !path.is_empty());
        url.query = query.map(str::to_owned);
        Some(url)
    }
}
