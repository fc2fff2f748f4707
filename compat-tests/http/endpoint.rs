//! An endpoint of the test's own on a free port of localhost: it notes what it is asked and answers as it is told, byte
//! for byte. Never asserts.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method and target.
    pub line: String,
    /// By their names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a body in JSON")
    }

    /// The `name` that every fixture job carries.
    pub fn name(&self) -> String {
        self.json()["data"]["command"]["name"].as_str().unwrap_or_default().to_owned()
    }
}

/// A connection: plain or under TLS.
pub trait Line: Read + Write + Send {
    /// Ends it, in the middle of an answer if that is where it is.
    fn end(&mut self);
}

impl Line for TcpStream {
    fn end(&mut self) {
        let _ = self.shutdown(Shutdown::Both);
    }
}

impl Line for rustls::StreamOwned<rustls::ServerConnection, TcpStream> {
    fn end(&mut self) {
        self.sock.end();
    }
}

type Script = dyn Fn(&Asked, &mut dyn Line) + Send + Sync;

pub struct Endpoint {
    port: u16,
    secure: bool,
    asked: Arc<Mutex<Vec<Asked>>>,
    connections: Arc<AtomicUsize>,
}

impl Endpoint {
    /// Answers by this script, which writes whole answers or less; the connection stays open for the next request
    /// unless the script's last words broke it.
    pub fn start(script: impl Fn(&Asked, &mut dyn Line) + Send + Sync + 'static) -> Endpoint {
        Endpoint::boot(None, Arc::new(script))
    }

    /// The same under TLS, with the certificate and key in these files.
    pub fn secure(
        certificate: &Path,
        key: &Path,
        script: impl Fn(&Asked, &mut dyn Line) + Send + Sync + 'static,
    ) -> Endpoint {
        let chain = vec![CertificateDer::from_pem_file(certificate).expect("a certificate")];
        let key = PrivateKeyDer::from_pem_file(key).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().expect("protocols").with_no_client_auth();
        let config = config.with_single_cert(chain, key).expect("a certificate and its key");
        Endpoint::boot(Some(Arc::new(config)), Arc::new(script))
    }

    fn boot(tls: Option<Arc<rustls::ServerConfig>>, script: Arc<Script>) -> Endpoint {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let endpoint =
            Endpoint { port, secure: tls.is_some(), asked: Arc::default(), connections: Arc::default() };
        let (asked, connections) = (endpoint.asked.clone(), endpoint.connections.clone());
        // The threads end with the test process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                connections.fetch_add(1, Ordering::SeqCst);
                let (tls, script, asked) = (tls.clone(), script.clone(), asked.clone());
                std::thread::spawn(move || serve(stream, tls, &*script, &asked));
            }
        });
        endpoint
    }

    /// Its URL, with this path.
    pub fn url(&self, path: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}{path}", self.port)
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("the requests").clone()
    }

    /// How many connections were made to it.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

fn serve(
    stream: TcpStream,
    tls: Option<Arc<rustls::ServerConfig>>,
    script: &Script,
    asked: &Mutex<Vec<Asked>>,
) {
    let line: Box<dyn Line> = match tls {
        None => Box::new(stream),
        Some(config) => {
            let session = rustls::ServerConnection::new(config).expect("a session");
            Box::new(rustls::StreamOwned::new(session, stream))
        }
    };
    let mut line = BufReader::new(line);
    while let Some(request) = read(&mut line) {
        asked.lock().expect("the requests").push(request.clone());
        script(&request, &mut **line.get_mut());
        if line.get_mut().flush().is_err() {
            return;
        }
    }
}

/// The next request; `None` once the connection has ended.
fn read(line: &mut impl BufRead) -> Option<Asked> {
    let mut text = String::new();
    line.read_line(&mut text).ok().filter(|&bytes| bytes > 0)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        line.read_line(&mut header).ok().filter(|&bytes| bytes > 0)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    line.read_exact(&mut body).ok()?;
    Some(Asked { line: text.trim_end().to_owned(), headers, body })
}

/// A whole answer: `answer("503 Service Unavailable", &["Retry-After: 7"], "later")`.
pub fn answer(status: &str, headers: &[&str], body: &str) -> Vec<u8> {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}
