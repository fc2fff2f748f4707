//! Routes to HTTP endpoints as they are written: `--http 'PATTERN=URL'`, `HANDOVER_HTTP`, and `[[http]]` tables.
//!
//! Owns the reading and what it refuses; errors repeat no secret, for URLs and tables may hold some. Counterpart in
//! PHP: none.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Deserialize;

use super::{Error, Low};
use crate::handler::http::shown;
use crate::handler::{Endpoint, Secret, Signing};

/// One `[[http]]` table of `handover.toml`:
///
/// ```toml
/// [[http]]
/// pattern = "App\\Jobs\\Reports\\*"
/// url = "https://reports.internal/jobs"
/// secret = "whsec_..."                # or secrets = ["...", "..."]; without, --http-secret signs
/// headers = { x-team = "reports" }    # optional
/// timeout = 300                       # optional: seconds that a request may take
/// ```
#[derive(Clone, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct HttpRoute {
    /// A class, or a pattern with a `*` at its end.
    pub pattern: String,
    /// Where its jobs are sent.
    pub url: String,
    /// Secrets, separated by spaces.
    pub secret: Option<String>,
    /// The same as a list.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// More headers of each request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Seconds that a request may take at most.
    pub timeout: Option<f64>,
}

impl HttpRoute {
    /// The routes of the `[[http]]` tables in this file's table; none where there are none.
    ///
    /// # Errors
    /// Where a table has a field too many, one too few, or one of another type.
    pub fn from_toml(file: &toml::Table) -> Result<Vec<HttpRoute>, Error> {
        let Some(tables) = file.get("http") else { return Ok(Vec::new()) };
        tables.clone().try_into().map_err(|error: toml::de::Error| Error::HttpTable { what: told(&error) })
    }

    fn endpoint(&self) -> Result<Endpoint, Error> {
        let mut endpoint = Endpoint::new(&self.url);
        let lines = self.secret.iter().chain(&self.secrets);
        for secret in lines.flat_map(|line| line.split_whitespace()) {
            endpoint = endpoint.secret(secret);
        }
        for (name, value) in &self.headers {
            endpoint = endpoint.header(name, value);
        }
        let Some(seconds) = self.timeout else { return Ok(endpoint) };
        match Duration::try_from_secs_f64(seconds) {
            Ok(timeout) if !timeout.is_zero() => Ok(endpoint.timeout(timeout)),
            _ => Err(Error::HttpTable {
                what: format!(
                    "the timeout of [{}] must be a number of seconds above 0, [{seconds}] given",
                    self.pattern
                ),
            }),
        }
    }
}

impl fmt::Debug for HttpRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpRoute({} to {})", self.pattern, shown(&self.url))
    }
}

/// The names of fields may be told; what is said of a value repeats it, and it may be a secret.
fn told(error: &toml::de::Error) -> String {
    match error.message() {
        message if message.contains(" field `") => message.to_owned(),
        _ => "pattern, url and secret are strings, secrets is a list of strings, headers a table of strings, timeout a \
              number, each between [[http]] and the next table"
            .to_owned(),
    }
}

/// The routes of these tables, then those that were typed, which go before them.
///
/// # Errors
/// Where one is not written as a route. Whether it can be used is seen when the worker starts.
pub(super) fn routes(low: &Low, tables: &[HttpRoute]) -> Result<Vec<(String, Endpoint)>, Error> {
    let mut routes = Vec::new();
    for table in tables {
        routes.push((table.pattern.clone(), table.endpoint()?));
    }
    for typed in low.get("http").unwrap_or_default().split_whitespace() {
        let (pattern, url) = typed.split_once('=').unwrap_or(("", typed));
        if pattern.is_empty() || pattern.contains("://") {
            let (must, given) = ("must be PATTERN=URL, as in 'App\\Jobs\\*=https://host/jobs'", shown(typed));
            return Err(Error::OutOfRange { name: "http", must, given });
        }
        routes.push((pattern.to_owned(), Endpoint::new(url)));
    }
    Ok(routes)
}

/// How routes sign that have no secret of their own.
pub(super) fn signing(low: &Low) -> Signing {
    let secrets = Secret::several(low.get("http-secret").unwrap_or_default());
    Signing { secrets, unsigned: low.is_on("http-unsigned") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn low(options: &[(&str, &str)]) -> Low {
        let mut low = Low::default();
        options.iter().for_each(|(name, value)| low.flag(name, *value));
        low
    }

    #[test]
    fn several_routes_stand_on_one_line_or_on_many() {
        let typed = "App\\A=https://a/x?y=z\n App\\B\\*=http://b";
        let routes = routes(&low(&[("http", typed)]), &[]).unwrap();
        let shown: Vec<_> = routes.iter().map(|(pattern, to)| format!("{pattern} {}", to.shown())).collect();
        assert_eq!(shown, ["App\\A https://a/x", "App\\B\\* http://b/"]);
    }

    #[test]
    fn what_is_no_route_is_told_without_its_password() {
        for typed in ["https://u:hush@a/x?b=hush", "=https://u:hush@a/x", "hidden"] {
            let told = routes(&low(&[("http", typed)]), &[]).unwrap_err().to_string();
            assert!(told.starts_with("The --http option must be PATTERN=URL"), "{told}");
            assert!(!told.contains("hush"), "{told}");
        }
    }

    #[test]
    fn tables_have_secrets_headers_and_times_of_their_own() {
        let file: toml::Table = toml::from_str(
            "[[http]]\npattern = 'App\\A'\nurl = 'https://a'\nsecret = 'one two'\ntimeout = 2.5\n\
             headers = { x-team = 'a' }\n[[http]]\npattern = 'B*'\nurl = 'https://b'\nsecrets = ['three']",
        )
        .unwrap();
        let tables = HttpRoute::from_toml(&file).unwrap();
        let routes = routes(&Low::default(), &tables).unwrap();
        assert_eq!(routes[0].0, "App\\A");
        let expected = Endpoint::new("https://a").secret("one").secret("two").header("x-team", "a");
        assert_eq!(routes[0].1, expected.timeout(Duration::from_millis(2500)));
        assert_eq!(routes[1].1, Endpoint::new("https://b").secret("three"));
        assert!(HttpRoute::from_toml(&toml::Table::new()).unwrap().is_empty());
    }

    #[test]
    fn a_table_that_is_wrong_is_told_without_its_secret() {
        for (text, expected) in [
            ("[[http]]\npattern = 'A'", "missing field `url`"),
            ("[[http]]\npattern = 'A'\nurl = 'https://a'\nsecrt = 'hush'", "unknown field `secrt`"),
            ("[[http]]\npattern = 'A'\nurl = 'https://a'\nsecrets = 'hush'", "secrets is a list"),
            ("http = 'hush'", "between [[http]] and"),
            ("[[http]]\npattern = 'A'\nurl = 'https://a'\nsecret = 's'\ntimeout = 0", "above 0, [0] given"),
        ] {
            let file: toml::Table = toml::from_str(text).unwrap();
            let tables = HttpRoute::from_toml(&file);
            let error = tables.and_then(|tables| routes(&Low::default(), &tables)).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("hush"), "{error}");
        }
    }
}
