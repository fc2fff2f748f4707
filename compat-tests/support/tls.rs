//! A redis-server that speaks TLS on a port of localhost, and plainly on its unix socket, where the test itself asks it.
//! Never asserts.

use std::path::Path;

use super::certificates::Certificates;
use super::ports;
use super::redis::Redis;

/// A private redis-server with TLS.
pub struct TlsRedis {
    redis: Redis,
    port: u16,
    certificates: Certificates,
}

impl TlsRedis {
    /// Anyone may connect.
    pub fn start() -> TlsRedis {
        TlsRedis::boot("server", "no")
    }

    /// Only who has a certificate of the authority.
    pub fn with_client_certificates() -> TlsRedis {
        TlsRedis::boot("server", "yes")
    }

    /// With the certificate of another host.
    pub fn with_anothers_certificate() -> TlsRedis {
        TlsRedis::boot("elsewhere", "no")
    }

    fn boot(certificate: &str, clients: &str) -> TlsRedis {
        let certificates = Certificates::new();
        let port = ports::free();
        let redis = Redis::start_with(&[
            "--bind",
            "127.0.0.1",
            "--tls-port",
            &port.to_string(),
            "--tls-cert-file",
            text(&certificates.certificate(certificate)),
            "--tls-key-file",
            text(&certificates.key(certificate)),
            "--tls-ca-cert-file",
            text(&certificates.certificate("ca")),
            "--tls-auth-clients",
            clients,
        ]);
        TlsRedis { redis, port, certificates }
    }

    /// The server, over its unix socket.
    pub fn redis(&self) -> &Redis {
        &self.redis
    }

    /// The server, to be killed and started again.
    pub fn redis_mut(&mut self) -> &mut Redis {
        &mut self.redis
    }

    /// The certificates it was started with.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// The TLS port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of database 0, with options as PHP's stream context names them:
    /// `url(&[("cafile", certificate)])`.
    pub fn url(&self, options: &[(&str, &Path)]) -> String {
        let mut url = format!("rediss://127.0.0.1:{}/0", self.port);
        for (index, (name, value)) in options.iter().enumerate() {
            let mark = if index == 0 { '?' } else { '&' };
            url.push_str(&format!("{mark}{name}={}", text(value)));
        }
        url
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}
