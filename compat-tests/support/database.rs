//! A private MariaDB or PostgreSQL: in a folder of its own, on a unix socket and a free port, as an unprivileged user. One
//! of each is shared by all tests that do not stop it, and started by the first that asks; each takes a database of its
//! own there. Whatever happens to the tests, the server ends with them and its folder goes. Never touches a server
//! that it did not start.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use handover::sql::{Driver, Server, Tls};
use tempfile::TempDir;

use super::process::{Running, command, wait_until};

/// The user and the password of every server.
pub const USER: &str = "worker";
/// With all that may go wrong in a DSN or a URL.
pub const PASSWORD: &str = "p@ss/w'o\"rd;#1";

/// A server and its folder.
pub struct DatabaseServer {
    driver: Driver,
    dir: PathBuf,
    port: u16,
    keeper: Option<Child>,
    _dir: Option<TempDir>,
}

/// Kills the server at the end of its input, which comes with the end of the tests, however that comes. The folder goes
/// with it where `$1` says so.
const KEEPER: &str = r#"gone=$1 dir=$2; shift 2
"$@" >"$dir/log" 2>&1 & server=$!
cat >/dev/null
kill -KILL $server; wait $server 2>/dev/null
[ "$gone" = no ] || rm -rf "$dir""#;

impl DatabaseServer {
    /// The one that tests share.
    pub fn shared(driver: Driver) -> &'static DatabaseServer {
        static MARIADB: OnceLock<DatabaseServer> = OnceLock::new();
        static POSTGRES: OnceLock<DatabaseServer> = OnceLock::new();
        let shared = if driver == Driver::Mysql { &MARIADB } else { &POSTGRES };
        shared.get_or_init(|| DatabaseServer::make(driver, true))
    }

    /// One of the test's own, to be stopped and started.
    pub fn start(driver: Driver) -> DatabaseServer {
        DatabaseServer::make(driver, false)
    }

    fn make(driver: Driver, shared: bool) -> DatabaseServer {
        let temporary = tempfile::Builder::new().prefix("database-").tempdir().expect("a directory");
        let dir = temporary.path().to_owned();
        let mut server = DatabaseServer { driver, dir, port: free_port(), keeper: None, _dir: None };
        server.certify();
        run(Command::new("chown").args(["-R", &owner()]).arg(&server.dir));
        match driver {
            Driver::Mysql => server.install_mariadb(),
            _ => server.install_postgres(),
        }
        if shared {
            drop(temporary.keep())
        } else {
            server._dir = Some(temporary)
        }
        server.restart();
        if driver == Driver::Mysql {
            let password = PASSWORD.replace('\'', "''");
            server.as_root(&format!(
                "CREATE USER {USER} IDENTIFIED BY '{password}'; GRANT ALL ON *.* TO {USER}"
            ));
        }
        server
    }

    /// A certificate for `localhost` and 127.0.0.1, signed by itself.
    fn certify(&self) {
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
        openssl.args(["-days", "2", "-subj", "/CN=localhost"]);
        openssl.args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]);
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
        openssl.arg("-keyout").arg(self.dir.join("key.pem")).arg("-out").arg(self.certificate());
        run(&mut openssl);
    }

    fn install_mariadb(&self) {
        let mut install = self.unprivileged("mariadb-install-db");
        install.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
        install.arg(format!("--datadir={}", self.dir.join("data").display()));
        run(&mut install);
    }

    fn install_postgres(&self) {
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

    fn serve(&self) -> Command {
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
        command
    }

    /// The unix socket: MariaDB's file, PostgreSQL's folder.
    pub fn socket(&self) -> PathBuf {
        if self.driver == Driver::Mysql { self.dir.join("mariadb.sock") } else { self.dir.clone() }
    }

    /// The port on 127.0.0.1, and on 127.0.0.2, for which the certificate is not made.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its certificate, which is also what it is verified by.
    pub fn certificate(&self) -> PathBuf {
        self.dir.join("cert.pem")
    }

    /// Kills it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            let _ = keeper.wait();
        }
    }

    /// Starts it again, with what it had.
    pub fn restart(&mut self) {
        self.kill();
        let serve = self.serve();
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper", if self._dir.is_some() { "no" } else { "yes" }]).arg(&self.dir);
        keeper.arg(serve.get_program()).args(serve.get_args()).current_dir(&self.dir);
        keeper.envs(serve.get_envs().filter_map(|(name, value)| Some((name, value?))));
        // Out of our group: a Ctrl-C ends us, and our end ends it.
        std::os::unix::process::CommandExt::process_group(&mut keeper, 0);
        let keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.keeper = Some(keeper.expect("a server"));
        let log = self.dir.join("log");
        let ended = || std::fs::read_to_string(&log).unwrap_or_default();
        wait_until("the database to answer", || {
            let keeper = self.keeper.as_mut().expect("just started");
            assert!(keeper.try_wait().expect("wait").is_none(), "the server ended:\n{}", ended());
            let ready = self.sql(self.administrator(), "SELECT 1");
            ready.map_err(|said| assert!(!said.contains("could not find driver"), "{said}")).is_ok()
        });
    }

    /// A database of its own, by its name.
    pub fn create_database(&self, options: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.as_root(&format!("CREATE DATABASE {name} {options}"));
        name
    }

    /// Runs a statement with all rights.
    #[track_caller]
    pub fn as_root(&self, statement: &str) {
        self.sql(self.administrator(), statement).unwrap_or_else(|said| panic!("{statement}: {said}"));
    }

    /// The server as the library takes it, by its socket.
    pub fn server(&self, database: &str) -> Server {
        let mysql = self.driver == Driver::Mysql;
        Server {
            host: (!mysql).then(|| self.dir.display().to_string()),
            port: Some(self.port),
            socket: mysql.then(|| self.socket()),
            database: database.to_owned(),
            username: Some(USER.to_owned()),
            password: Some(PASSWORD.to_owned()),
            tls: Tls::default(),
            ..Server::default()
        }
    }

    fn administrator(&self) -> [String; 3] {
        match self.driver {
            Driver::Mysql => {
                [format!("mysql:unix_socket={}", self.socket().display()), "root".into(), String::new()]
            }
            _ => {
                let dsn = format!("pgsql:host={};port={};dbname=postgres", self.dir.display(), self.port);
                [dsn, USER.into(), PASSWORD.into()]
            }
        }
    }

    fn sql(&self, [dsn, user, password]: [String; 3], statement: &str) -> Result<(), String> {
        let code = "$db = new PDO($argv[1], $argv[2], $argv[3], [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]); $db->exec($argv[4]);";
        let mut php = command("php");
        php.args(["-r", code, "--", &dsn, &user, &password, statement]);
        let done = Running::start(php).finish();
        if done.code == 0 { Ok(()) } else { Err(format!("{}{}", done.stdout, done.stderr)) }
    }
}

impl Drop for DatabaseServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id");
    id.stdout.trim_ascii() == b"0"
}

fn owner() -> String {
    if is_root() {
        "nobody:nogroup".to_owned()
    } else {
        String::from_utf8_lossy(&Command::new("id").arg("-u").output().expect("id").stdout).trim().to_owned()
    }
}

fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    free.local_addr().expect("its address").port()
}

#[track_caller]
fn run(command: &mut Command) {
    let done = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&said));
}

/// An empty SQLite file in a folder.
pub fn sqlite_file(folder: &Path) -> Server {
    let path = folder.join("failed.sqlite");
    std::fs::write(&path, "").expect("a file");
    Server { database: path.display().to_string(), ..Server::default() }
}
