//! Where a route leads: URL, secrets, headers and time, as configured and as checked.
//!
//! Never dials. Shown without its secrets: no user, password, query or header value. Counterpart in PHP: none.

use std::fmt;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use super::signature::{Key, Secret};

/// An endpoint as configured. A URL alone will do where the worker knows a secret
/// ([`Worker::http_secret`](crate::Worker::http_secret), `--http-secret`).
#[derive(Clone, PartialEq)]
pub struct Endpoint {
    url: String,
    secrets: Vec<Secret>,
    unsigned: bool,
    headers: Vec<(String, String)>,
    timeout: Option<Duration>,
}

impl Endpoint {
    /// An endpoint at this `http://` or `https://` URL; it is checked when the worker starts.
    pub fn new(url: impl Into<String>) -> Self {
        Endpoint { url: url.into(), secrets: Vec::new(), unsigned: false, headers: Vec::new(), timeout: None }
    }

    /// One more secret to sign with: `whsec_` and base64, or raw. With several, each signs.
    #[must_use]
    pub fn secret(mut self, secret: &str) -> Self {
        self.secrets.push(Secret::from(secret));
        self
    }

    /// Its requests may go out without a signature: anybody who reaches the endpoint can then run jobs there.
    #[must_use]
    pub fn unsigned(mut self) -> Self {
        self.unsigned = true;
        self
    }

    /// One more header of each request. Those of the contract (`webhook-*`, `content-type`) cannot be replaced.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// How long a request may take at most; without it the job's own timeout, and 60 s for a job that has none.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The same with the worker's secrets where it has none of its own, and without any where it may go so.
    pub(crate) fn or_by(mut self, signing: &Signing) -> Self {
        if self.secrets.is_empty() && !self.unsigned {
            self.secrets.clone_from(&signing.secrets);
        }
        self.unsigned |= signing.unsigned;
        self
    }

    /// Its address without what may be secret.
    pub fn shown(&self) -> String {
        shown(&self.url)
    }

    /// Ready to be asked.
    ///
    /// # Errors
    /// Where something in it cannot be used, or it has no secret and may not go unsigned.
    pub(crate) fn checked(&self, pattern: &str) -> Result<Target, EndpointError> {
        let pattern = pattern.to_owned();
        let odd = |what: &str| EndpointError::Url {
            pattern: pattern.clone(),
            shown: self.shown(),
            what: what.to_owned(),
        };
        let url = Url::parse(&self.url).map_err(|error| odd(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(odd("it begins with neither http:// nor https://"));
        }
        if self.secrets.is_empty() && !self.unsigned {
            return Err(EndpointError::Unsigned { pattern });
        }
        let keys: Option<Vec<Key>> = self.secrets.iter().map(Secret::key).collect();
        let keys = keys.ok_or_else(|| EndpointError::Secret { pattern: pattern.clone() })?;
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            let field = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(value).ok());
            let Some((field, mut value)) = field else {
                return Err(EndpointError::Header { pattern, name: name.clone() });
            };
            value.set_sensitive(true);
            headers.append(field, value);
        }
        Ok(Target { shown: shown(url.as_str()), url, keys, headers, timeout: self.timeout })
    }
}

impl From<&str> for Endpoint {
    fn from(url: &str) -> Self {
        Endpoint::new(url)
    }
}

impl From<String> for Endpoint {
    fn from(url: String) -> Self {
        Endpoint::new(url)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({}, {} secrets)", self.shown(), self.secrets.len())
    }
}

/// How requests are signed whose endpoint has no secret of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Signing {
    /// What they are signed with, each.
    pub secrets: Vec<Secret>,
    /// Without secrets they go out unsigned, where they would be refused.
    pub unsigned: bool,
}

/// An endpoint that was checked.
pub(crate) struct Target {
    pub(super) url: Url,
    /// The URL for logs and errors.
    pub(super) shown: String,
    pub(super) keys: Vec<Key>,
    pub(super) headers: HeaderMap,
    pub(super) timeout: Option<Duration>,
}

/// Why a route to an endpoint cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// Not a URL to post to.
    #[error("The HTTP route [{pattern}] leads to [{shown}], where nothing can be sent: {what}.")]
    Url {
        /// The route.
        pattern: String,
        /// What was given, without what may be secret.
        shown: String,
        /// What is wrong.
        what: String,
    },
    /// It has no secret.
    #[error(
        "The HTTP route [{pattern}] has no secret to sign its requests with. Give one with HANDOVER_HTTP_SECRET or --http-secret; or, where only this worker can reach the endpoint, let it go without by --http-unsigned."
    )]
    Unsigned {
        /// The route.
        pattern: String,
    },
    /// A secret that is none.
    #[error(
        "A secret of the HTTP route [{pattern}] cannot be used: it is empty, or no base64; `openssl rand -base64 32` makes one."
    )]
    Secret {
        /// The route.
        pattern: String,
    },
    /// A header that cannot be sent.
    #[error("The header [{name}] of the HTTP route [{pattern}] has a name or a value that cannot be sent.")]
    Header {
        /// The route.
        pattern: String,
        /// The header's name.
        name: String,
    },
    /// There is no client to send with.
    #[error(
        "HTTP routes cannot be served: {0}. On a slim system the package ca-certificates may be missing."
    )]
    Client(String),
}

/// A URL without user, password, query and fragment. What is no URL shows nothing before its last `@`.
pub(crate) fn shown(url: &str) -> String {
    if let Ok(url) = Url::parse(url)
        && let Some(host) = url.host_str()
    {
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        return format!("{}://{host}{port}{}", url.scheme(), url.path());
    }
    let (hidden, rest) = url.rsplit_once('@').map_or(("", url), |(_, rest)| ("...@", rest));
    format!("{hidden}{}", rest.split(['?', '#']).next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(endpoint: Endpoint) -> String {
        endpoint.checked("App\\*").err().expect("refused").to_string()
    }

    #[test]
    fn what_cannot_be_used_is_told_without_its_secrets() {
        let hush = |url: &str| Endpoint::new(url).secret("whsec_aHVzaA==").header("x-token", "hush");
        for (endpoint, told) in [
            (
                hush("ftp://me:hush@files/x?token=hush"),
                "[ftp://files/x], where nothing can be sent: it begins",
            ),
            (hush("reports.internal/jobs"), "[reports.internal/jobs]"),
            (hush("https://"), "[https://]"),
            (hush("https://a").secret("whsec_hush!"), "or no base64"),
            (hush("https://a").header("x y", "hush"), "The header [x y]"),
            (hush("https://a").header("x", "hush\n"), "The header [x]"),
            (Endpoint::new("https://a"), "has no secret to sign its requests with. Give one with HANDOVER"),
        ] {
            let shown = format!("{endpoint:?}");
            let error = refused(endpoint);
            assert!(error.contains(told) && error.contains("[App\\*]"), "{error}");
            assert!(!error.contains("hush") && !shown.contains("hush"), "{error} {shown}");
        }
    }

    #[test]
    fn what_is_shown_of_a_url_is_never_its_way_in() {
        for (url, told) in [
            ("https://user:pa/ss@host/x", "...@host/x"),
            ("https://user:p#ss@host/x", "...@host/x"),
            ("user:hush@host/jobs", "...@host/jobs"),
            ("https:/user:hush@h/x", "https://h/x"),
            ("https:user:hush@h/x", "https://h/x"),
            ("https:\\\\user:hush@h/x", "https://h/x"),
            ("https://h:8443/x?token=hush#hush", "https://h:8443/x"),
            ("reports.internal/jobs", "reports.internal/jobs"),
        ] {
            assert_eq!(shown(url), told, "{url}");
        }
    }

    #[test]
    fn a_route_without_a_secret_takes_the_workers_unless_it_goes_unsigned() {
        let signing = Signing { secrets: Secret::several("b25l dHdv"), unsigned: false };
        let keys = |endpoint: Endpoint| endpoint.or_by(&signing).checked("A").unwrap().keys.len();
        assert_eq!(keys("https://a".into()), 2);
        assert_eq!(keys(Endpoint::new("https://a").secret("b3du")), 1);
        assert_eq!(keys(Endpoint::new("https://a").unsigned()), 0);
        let unsigned = Signing { secrets: Vec::new(), unsigned: true };
        assert!(Endpoint::new("https://a").or_by(&unsigned).checked("A").is_ok());
    }
}
