//! A private MariaDB or PostgreSQL: in a folder of its own, on a unix socket and a free port, as an unprivileged user. One
//! of each is shared by all tests that do not stop it, and started by the first that asks; each takes a database of its
//! own there. Whatever happens to the tests, the server ends with them and its folder goes. Never touches a server
//! that it did not start.

mod recipe;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::process::{Running, command, wait_until};
use handover::sql::{Driver, Server, Tls};
use recipe::{free_port, owner, run};

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
}

/// Kills the server at the end of its input, which comes with the end of the tests, however that comes; its folder goes
/// with it, unless it was told that the server is to be started again.
const KEEPER: &str = r#"dir=$1; shift
"$@" >"$dir/log" 2>&1 & server=$!
read -r word
kill -KILL $server; wait $server 2>/dev/null
[ "$word" = stay ] || rm -rf "$dir""#;

/// Where a user of no rights can get to: the folder for temporary files, if each folder above lets others pass.
fn base() -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let passes = |dir: &std::path::Path| dir.metadata().is_ok_and(|data| data.permissions().mode() & 1 == 1);
    let dir = std::env::temp_dir();
    if dir.ancestors().all(passes) { dir } else { PathBuf::from("/tmp") }
}

impl DatabaseServer {
    /// The one that tests share.
    pub fn shared(driver: Driver) -> &'static DatabaseServer {
        static MARIADB: OnceLock<DatabaseServer> = OnceLock::new();
        static POSTGRES: OnceLock<DatabaseServer> = OnceLock::new();
        let shared = if driver == Driver::Mysql { &MARIADB } else { &POSTGRES };
        shared.get_or_init(|| DatabaseServer::start(driver))
    }

    /// One of the test's own, to be stopped and started.
    pub fn start(driver: Driver) -> DatabaseServer {
        let dir =
            tempfile::Builder::new().prefix("database-").tempdir_in(base()).expect("a directory").keep();
        let mut server = DatabaseServer { driver, dir, port: free_port(), keeper: None };
        server.certify();
        run(Command::new("chown").args(["-R", &owner()]).arg(&server.dir));
        match driver {
            Driver::Mysql => server.install_mariadb(),
            _ => server.install_postgres(),
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
        self.end("stay\n");
    }

    fn end(&mut self, word: &str) {
        if let Some(mut keeper) = self.keeper.take() {
            let _ = keeper.stdin.take().expect("piped").write_all(word.as_bytes());
            let _ = keeper.wait();
        }
    }

    /// Starts it again, with what it had.
    pub fn restart(&mut self) {
        self.kill();
        let serve = self.serve();
        let mut keeper = Command::new("sh");
        keeper.args(["-c", KEEPER, "keeper"]).arg(&self.dir);
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
        self.end("");
    }
}

/// An empty SQLite file in a folder.
pub fn sqlite_file(folder: &Path) -> Server {
    let path = folder.join("failed.sqlite");
    std::fs::write(&path, "").expect("a file");
    Server { database: path.display().to_string(), ..Server::default() }
}
