//! Where a Redis is, read from one line: a server, the sentinels that know one, or the nodes of a cluster; over TCP, TLS
//! or a unix socket.
//!
//! Never dials. Shown without its secrets. Counterpart in PHP: a connection of `config/database.php`, its `scheme` and
//! `context` included.

use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisError};

use super::Error;

/// A Redis, as its URL describes it.
#[derive(Clone, Debug)]
pub(super) enum Address {
    /// One server.
    Server(Node),
    /// The master that these sentinels name.
    Sentinel { sentinels: Vec<Node>, service: String, master: Node },
    /// A cluster that these nodes belong to.
    Cluster(Vec<Node>),
}

/// One server, and what it takes to be let in.
#[derive(Clone)]
pub(super) struct Node {
    info: ConnectionInfo,
    tls: Option<Tls>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

/// The files of PHP's stream context, read.
#[derive(Clone, Default)]
struct Tls {
    #[cfg(feature = "tls")]
    root: Option<Vec<u8>>,
    #[cfg(feature = "tls")]
    own: Option<(Vec<u8>, Vec<u8>)>,
}

/// A query's parameters that are ours, and the rest of them for the client.
struct Query<'a> {
    /// Name, value, and the value as it was written.
    ours: Vec<(&'a str, String, &'a str)>,
    rest: Vec<&'a str>,
}

const OURS: [&str; 6] =
    ["cafile", "local_cert", "local_pk", "verify_peer", "sentinel_username", "sentinel_password"];

impl Address {
    /// Reads `redis://`, `rediss://`, `redis+unix://`, `redis+sentinel://host,host/service/db` and
    /// `redis+cluster://host,host`; see [`Redis::new`](super::Redis::new).
    pub(super) fn parse(url: &str) -> Result<Self, Error> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| odd("it has no scheme such as redis://"))?;
        let (plain, query) = rest.split_once('?').unwrap_or((rest, ""));
        let query = Query::read(query);
        let (secure, kind) = match scheme {
            "redis+sentinel" => (false, "sentinel"),
            "rediss+sentinel" => (true, "sentinel"),
            "redis+cluster" => (false, "cluster"),
            "rediss+cluster" => (true, "cluster"),
            _ => (matches!(scheme, "rediss" | "valkeys"), ""),
        };
        let tls = if secure { Some(query.tls()?) } else { None };
        if kind.is_empty() {
            return Ok(Address::Server(Node::read(&format!("{scheme}://{plain}"), &query, tls)?));
        }
        let scheme = if secure { "rediss" } else { "redis" };
        let (login, places) = plain.rsplit_once('@').map_or(("", plain), |(login, places)| (login, places));
        let (hosts, path) = places.split_once('/').unwrap_or((places, ""));
        let login = if login.is_empty() { String::new() } else { format!("{login}@") };
        let hosts = hosts.split(',').filter(|host| !host.is_empty());
        if kind == "cluster" {
            let nodes =
                hosts.map(|host| Node::read(&format!("{scheme}://{login}{host}"), &query, tls.clone()));
            return Ok(Address::Cluster(some(nodes.collect::<Result<_, _>>()?)?));
        }
        let (service, db) = path.split_once('/').unwrap_or((path, "0"));
        if service.is_empty() {
            return Err(odd("it names no service, as in redis+sentinel://host:26379/mymaster/0"));
        }
        let master = Node::read(&format!("{scheme}://{login}sentinels.choice/{db}"), &query, tls.clone())?;
        let login = match (query.written("sentinel_username"), query.written("sentinel_password")) {
            (_, "") => String::new(),
            (user, password) => format!("{user}:{password}@"),
        };
        let port = |host: &str| if host.contains(':') { String::new() } else { ":26379".to_owned() };
        let sentinels = hosts.map(|host| {
            Node::read(&format!("{scheme}://{login}{host}{}", port(host)), &Query::read(""), tls.clone())
        });
        let sentinels = some(sentinels.collect::<Result<_, _>>()?)?;
        Ok(Address::Sentinel { sentinels, service: service.to_owned(), master })
    }
}

fn some(nodes: Vec<Node>) -> Result<Vec<Node>, Error> {
    if nodes.is_empty() { Err(odd("it names no host")) } else { Ok(nodes) }
}

impl Node {
    fn read(url: &str, query: &Query<'_>, tls: Option<Tls>) -> Result<Self, Error> {
        let rest = if query.rest.is_empty() { String::new() } else { format!("?{}", query.rest.join("&")) };
        let insecure = tls.is_some()
            && query.get("verify_peer").is_some_and(|value| matches!(value, "" | "0" | "false"));
        let fragment = if insecure { "#insecure" } else { "" };
        let info = format!("{url}{rest}{fragment}").into_connection_info()?;
        let settings = info.tcp_settings().clone().set_nodelay(true);
        Ok(Node { info: info.set_tcp_settings(settings), tls })
    }

    /// `host:port`, or the socket's path: what tells it from other nodes.
    pub(super) fn name(&self) -> String {
        match self.info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                format!("{host}:{port}")
            }
            ConnectionAddr::Unix(path) => path.display().to_string(),
            _ => "an unknown address".to_owned(),
        }
    }

    /// The same entrance at another place: what a sentinel or a node of the cluster names. An empty host is this one.
    pub(super) fn at(&self, host: &str, port: u16) -> Self {
        let (host, addr) = (host.to_owned(), self.info.addr().clone());
        let addr = match addr {
            ConnectionAddr::TcpTls { host: here, insecure, tls_params, .. } => {
                let host = if host.is_empty() { here } else { host };
                ConnectionAddr::TcpTls { host, port, insecure, tls_params }
            }
            ConnectionAddr::Tcp(here, _) => {
                ConnectionAddr::Tcp(if host.is_empty() { here } else { host }, port)
            }
            other => other,
        };
        Node { info: self.info.clone().set_addr(addr), tls: self.tls.clone() }
    }

    /// A client for it; does not dial yet.
    pub(super) fn client(&self) -> Result<Client, RedisError> {
        match &self.tls {
            None => Client::open(self.info.clone()),
            Some(tls) => tls.client(self.info.clone()),
        }
    }
}

impl Tls {
    #[cfg(feature = "tls")]
    fn client(&self, info: ConnectionInfo) -> Result<Client, RedisError> {
        let own = self.own.clone();
        let client_tls =
            own.map(|(client_cert, client_key)| redis::ClientTlsConfig { client_cert, client_key });
        Client::build_with_tls(info, redis::TlsCertificates { client_tls, root_cert: self.root.clone() })
    }

    #[cfg(not(feature = "tls"))]
    fn client(&self, info: ConnectionInfo) -> Result<Client, RedisError> {
        Client::open(info)
    }
}

impl<'a> Query<'a> {
    fn read(query: &'a str) -> Self {
        let (mut ours, mut rest) = (Vec::new(), Vec::new());
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            match OURS.iter().find(|known| **known == name) {
                Some(name) => ours.push((*name, decoded(value), value)),
                None => rest.push(part),
            }
        }
        Query { ours, rest }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.ours.iter().find(|(known, ..)| *known == name).map(|(_, value, _)| value.as_str())
    }

    /// As it was written, to be part of another URL.
    fn written(&self, name: &str) -> &str {
        self.ours.iter().find(|(known, ..)| *known == name).map_or("", |(.., written)| written)
    }

    #[cfg(feature = "tls")]
    fn tls(&self) -> Result<Tls, Error> {
        let file = |name: &str| {
            let Some(path) = self.get(name) else { return Ok(None) };
            std::fs::read(path)
                .map(Some)
                .map_err(|error| odd(&format!("its {name} [{path}] cannot be read: {error}")))
        };
        let own = match (file("local_cert")?, file("local_pk")?) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            // One file that holds both.
            (Some(both), None) => Some((both.clone(), both)),
            (None, _) => None,
        };
        // The client panics where two implementations are compiled in and none was chosen.
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        Ok(Tls { root: file("cafile")?, own })
    }

    #[cfg(not(feature = "tls"))]
    fn tls(&self) -> Result<Tls, Error> {
        Err(odd("it speaks TLS, which this build lacks the feature `tls` for"))
    }
}

fn decoded(value: &str) -> String {
    let bytes = value.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let code = value.get(at + 1..at + 3).and_then(|code| u8::from_str_radix(code, 16).ok());
        match (bytes[at], code) {
            (b'%', Some(byte)) => (out.push(byte), at += 3).1,
            (byte, _) => (out.push(byte), at += 1).1,
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// An address that cannot be used; the address itself is not repeated, for it may hold a password.
fn odd(what: &str) -> Error {
    let kind = redis::ErrorKind::InvalidClientConfig;
    Error::from(RedisError::from((kind, "The address of Redis cannot be used", what.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Node {
        fn settings(&self) -> &redis::RedisConnectionInfo {
            self.info.redis_settings()
        }
    }

    #[test]
    fn one_server_in_every_spelling() {
        for (url, name, db) in [
            ("redis://:secret@localhost:6380/3", "localhost:6380", 3),
            ("redis+unix:///run/redis.sock?db=2&pass=x", "/run/redis.sock", 2),
            ("unix:///run/redis.sock", "/run/redis.sock", 0),
        ] {
            let Ok(Address::Server(node)) = Address::parse(url) else { panic!("{url}") };
            assert_eq!((node.name().as_str(), node.settings().db()), (name, db), "{url}");
        }
    }

    #[test]
    fn sentinels_have_a_service_and_a_login_of_their_own() {
        let url = "redis+sentinel://app:secret@a,b:26380/mymaster/2?sentinel_password=p%2F%40o%23ther";
        let Ok(Address::Sentinel { sentinels, service, master }) = Address::parse(url) else { panic!() };
        assert_eq!(sentinels.iter().map(Node::name).collect::<Vec<_>>(), ["a:26379", "b:26380"]);
        assert_eq!(sentinels[0].settings().password(), Some("p/@o#ther"));
        assert_eq!((service.as_str(), master.settings().db()), ("mymaster", 2));
        assert_eq!(master.settings().username(), Some("app"));
        let moved = master.at("10.0.0.7", 6379);
        assert_eq!((moved.name().as_str(), moved.settings().password()), ("10.0.0.7:6379", Some("secret")));
    }

    #[test]
    fn a_cluster_has_nodes() {
        let Ok(Address::Cluster(nodes)) = Address::parse("redis+cluster://:p@a:7000,b:7001") else {
            panic!()
        };
        assert_eq!(nodes.iter().map(Node::name).collect::<Vec<_>>(), ["a:7000", "b:7001"]);
        assert_eq!(nodes[1].settings().password(), Some("p"));
        assert_eq!(nodes[1].at("", 9).name(), "b:9");
    }

    #[test]
    fn what_cannot_be_used_is_told_without_its_password() {
        for (url, told) in [
            ("localhost:6379", "no scheme"),
            ("redis+sentinel://:secret@a", "names no service"),
            ("redis+cluster://:secret@", "names no host"),
            #[cfg(feature = "tls")]
            ("rediss://:secret@a?cafile=/no/such/file", "[/no/such/file] cannot be read"),
        ] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains(told) && !error.contains("secret"), "{error}");
        }
    }
}
