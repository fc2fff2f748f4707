//! The server speaks TLS with who trusts it, and only with known clients where it was told so. Asked by redis-cli, which
//! has nothing in common with Handover's client.

use crate::support::certificates::Certificates;
use crate::support::process::{Finished, Running, command};
use crate::support::tls::TlsRedis;

fn ping(server: &TlsRedis, authority: &str, client: Option<&str>) -> Finished {
    let files: &Certificates = server.certificates();
    let mut cli = command("redis-cli");
    cli.args(["-h", "127.0.0.1", "-p", &server.port().to_string(), "--tls"]);
    cli.arg("--cacert").arg(files.certificate(authority));
    if let Some(client) = client {
        cli.arg("--cert").arg(files.certificate(client)).arg("--key").arg(files.key(client));
    }
    cli.arg("PING");
    Running::start(cli).finish()
}

#[test]
fn who_knows_the_authority_is_served() {
    let server = TlsRedis::start();
    assert_eq!(ping(&server, "ca", None).stdout, "PONG\n");
    let refused = ping(&server, "stranger", None);
    assert!(refused.stderr.contains("certificate verify failed"), "{refused:?}");
    let _: () = server.redis().query(&["SET", "key", "value"]);
}

#[test]
fn without_a_client_certificate_there_is_no_answer_where_one_is_asked_for() {
    let server = TlsRedis::with_client_certificates();
    assert_eq!(ping(&server, "ca", Some("client")).stdout, "PONG\n");
    assert_eq!(ping(&server, "ca", None).stdout, "");
}

#[test]
fn its_url_names_the_options() {
    let server = TlsRedis::start();
    let (ca, key) = (server.certificates().certificate("ca"), server.certificates().key("client"));
    let url = server.url(&[("cafile", &ca), ("local_pk", &key)]);
    let expected =
        format!("rediss://127.0.0.1:{}/0?cafile={}&local_pk={}", server.port(), ca.display(), key.display());
    assert_eq!(url, expected);
}
