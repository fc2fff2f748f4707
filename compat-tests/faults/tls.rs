//! TLS: a worker trusts whom it was told to trust and nobody else, shows its own certificate where it has one, and says
//! what is wrong until it is put right.

use std::path::Path;

use super::flow::{Watched, assert_each_ran_once, names, push, start, stop, wait_for_ends, wait_until_down};
use crate::support::process::Running;
use crate::support::tally::Tally;
use crate::support::tls::TlsRedis;

#[track_caller]
fn works(server: &TlsRedis, url: &str) -> String {
    finishes_jobs(server, start(url, "default", &[]))
}

#[track_caller]
fn finishes_jobs(server: &TlsRedis, worker: Watched) -> String {
    let (tally, jobs) = (Tally::start(), names("job", 20));
    push(&mut server.redis().connect(0), &tally, "default", &jobs, 0.0).unwrap();
    wait_for_ends(&tally, &jobs);
    let log = stop(worker);
    assert_each_ran_once(&tally, &jobs);
    log
}

/// It asks again and again, and has reached nobody.
#[track_caller]
fn is_refused(url: &str, reason: &str) {
    let mut worker = start(url, "default", &["--grace=0.5"]);
    wait_until_down(&mut worker, reason);
    let log = stop(worker);
    assert!(!log.contains("Redis answers again"), "{log}");
}

#[test]
fn a_worker_works_over_tls_with_the_authority_it_was_given() {
    let server = TlsRedis::start();
    let ca = server.certificates().certificate("ca");
    works(&server, &server.url(&[("cafile", &ca)]));
}

#[test]
fn a_certificate_of_an_unknown_authority_is_refused() {
    let server = TlsRedis::start();
    let stranger = server.certificates().certificate("stranger");
    is_refused(&server.url(&[("cafile", &stranger)]), "certificate");
    // Nor do the system's authorities know it.
    is_refused(&server.url(&[]), "certificate");
    assert_eq!(server.redis().query::<usize>(&["DBSIZE"]), 0);
}

#[test]
fn the_certificate_of_another_host_is_refused() {
    let server = TlsRedis::with_anothers_certificate();
    let ca = server.certificates().certificate("ca");
    is_refused(&server.url(&[("cafile", &ca)]), "certificate");
}

#[test]
fn without_verification_any_certificate_will_do() {
    let server = TlsRedis::with_anothers_certificate();
    works(&server, &server.url(&[("verify_peer", Path::new("0"))]));
}

#[test]
fn a_client_certificate_is_shown_where_one_is_asked_for() {
    let server = TlsRedis::with_client_certificates();
    let files = server.certificates();
    let (ca, certificate, key) = (files.certificate("ca"), files.certificate("client"), files.key("client"));
    works(&server, &server.url(&[("cafile", &ca), ("local_cert", &certificate), ("local_pk", &key)]));
    is_refused(&server.url(&[("cafile", &ca)]), "");
}

#[test]
fn a_server_that_comes_back_is_dialled_anew_over_tls() {
    let mut server = TlsRedis::start();
    let ca = server.certificates().certificate("ca");
    let mut worker = start(&server.url(&[("cafile", &ca)]), "default", &[]);
    crate::support::process::wait_until("it waits", || {
        server.redis().query::<String>(&["CLIENT", "LIST"]).contains("cmd=blpop")
    });
    server.redis_mut().kill();
    wait_until_down(&mut worker, "");
    server.redis_mut().restart();
    let log = finishes_jobs(&server, worker);
    assert!(log.contains("Redis answers again"), "{log}");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let server = TlsRedis::start();
    let missing = Path::new("/nowhere/ca.pem");
    let worker = super::worker(&server.url(&[("cafile", missing)]), &["--max-time=1"]);
    let end = Running::start(worker).finish();
    assert!(end.stderr.contains("/nowhere/ca.pem"), "{end:?}");
    assert!(!end.stderr.contains("panicked"), "{end:?}");
}
