//! Certificates of a test's own, in a directory of its own: an authority, a server's for localhost, a client's, and a
//! second authority that has signed nothing here. Never decides who trusts what.

use std::fs;
use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

/// Files in PEM form.
pub struct Certificates {
    dir: TempDir,
}

impl Certificates {
    /// Fresh ones.
    pub fn new() -> Certificates {
        let dir = tempfile::Builder::new().prefix("certificates-").tempdir().expect("a directory");
        let certificates = Certificates { dir };
        let ours = certificates.authority("ca");
        certificates.authority("stranger");
        certificates.signed("server", &["localhost", "127.0.0.1"], &ours);
        certificates.signed("elsewhere", &["redis.example"], &ours);
        certificates.signed("client", &["worker"], &ours);
        certificates
    }

    /// The certificate of `ca`, `stranger` (another authority), `server`, `elsewhere` (another host's) or `client`.
    pub fn certificate(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("{name}.pem"))
    }

    /// The private key to it.
    pub fn key(&self, name: &str) -> PathBuf {
        self.dir.path().join(format!("{name}.key"))
    }

    fn authority(&self, name: &str) -> Issuer<'static, KeyPair> {
        let mut params = CertificateParams::new([]).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        self.write(name, &certificate.pem(), &key);
        Issuer::new(params, key)
    }

    fn signed(&self, name: &str, hosts: &[&str], authority: &Issuer<'_, KeyPair>) {
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).expect("names");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, authority).expect("a certificate");
        self.write(name, &certificate.pem(), &key);
    }

    fn write(&self, name: &str, certificate: &str, key: &KeyPair) {
        fs::write(self.certificate(name), certificate).expect("a file");
        fs::write(self.key(name), key.serialize_pem()).expect("a file");
    }
}
