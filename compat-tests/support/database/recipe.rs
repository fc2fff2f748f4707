//! How a MariaDB and a PostgreSQL are made and run from what Debian installs: unprivileged, out of one folder, with a
//! certificate. Never looks at a configuration outside that folder.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use handover::sql::Driver;

use super::{DatabaseServer, PASSWORD, USER};

impl DatabaseServer {
    /// A certificate for `localhost` and 127.0.0.1, signed by itself.
    pub(super) fn certify(&self) {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
        openssl.args(["-days", "2", "-subj", "/CN=localhost"]);
        openssl.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        openssl.arg("-keyout").arg(self.dir.join("key.pem")).arg("-out").arg(self.certificate());
        run(&mut openssl);
    }

    pub(super) fn install_mariadb(&self) {
        let mut install = self.unprivileged("mariadb-install-db");
        install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        install.arg(format!("--datadir={}", self.dir.join("data").display()));
        run(&mut install);
    }

    pub(super) fn install_postgres(&self) {
        std::fs::write(self.dir.join("password"), PASSWORD).expect("a file");
        let mut initdb = self.unprivileged("initdb");
        initdb.args([
            "--username",
            USER,
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]);
        initdb.arg("--pwfile").arg(self.dir.join("password")).arg("--pgdata").arg(self.dir.join("data"));
        run(&mut initdb);
    }

    pub(super) fn serve(&self) -> Command {
        let data = self.dir.join("data");
        let file = |name: &str| self.dir.join(name).display().to_string();
        if self.driver == Driver::Mysql {
            let mut mariadbd = self.unprivileged("mariadbd");
            mariadbd.arg("--no-defaults").arg(format!("--datadir={}", data.display()));
            mariadbd
                .arg(format!("--socket={}", self.socket().display()))
                .arg(format!("--port={}", self.port));
            mariadbd.args([
                "--bind-address=127.0.0.1,127.0.0.2",
                "--innodb-flush-log-at-trx-commit=2",
                "--skip-log-bin",
            ]);
            mariadbd
                .args([format!("--ssl-cert={}", file("cert.pem")), format!("--ssl-key={}", file("key.pem"))]);
            return mariadbd;
        }
        let mut postgres = self.unprivileged("postgres");
        postgres.arg("-D").arg(data).arg("-k").arg(&self.dir).args(["-p", &self.port.to_string()]);
        let settings = ["listen_addresses=127.0.0.1,127.0.0.2", "fsync=off", "ssl=on"].map(str::to_owned);
        let certificate =
            [format!("ssl_cert_file={}", file("cert.pem")), format!("ssl_key_file={}", file("key.pem"))];
        for setting in settings.into_iter().chain(certificate) {
            postgres.args(["-c", &setting]);
        }
        postgres
    }

    /// A program of the server's, as a user that can do no harm; its folders are not on everybody's path.
    fn unprivileged(&self, program: &str) -> Command {
        let mut path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        for version in std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
            path = format!("{path}:{}", version.path().join("bin").display());
        }
        let mut command = Command::new("setpriv");
        if is_root() {
            command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
        }
        command.arg("--").arg(program).env("PATH", path).env("LC_ALL", "C.UTF-8").current_dir(&self.dir);
        // The folder of the tests is another user's.
        command.env("TMPDIR", &self.dir);
        command
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id");
    id.stdout.trim_ascii() == b"0"
}

/// The user of the servers, for `chown`.
pub(super) fn owner() -> String {
    if is_root() {
        "nobody:nogroup".to_owned()
    } else {
        String::from_utf8_lossy(&Command::new("id").arg("-u").output().expect("id").stdout).trim().to_owned()
    }
}

/// A port of localhost that nobody has just now.
pub(super) fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    free.local_addr().expect("its address").port()
}

/// Runs it to its end, which must be a good one.
#[track_caller]
pub(super) fn run(command: &mut Command) {
    let done = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}
