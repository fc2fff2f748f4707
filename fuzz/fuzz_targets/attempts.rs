//! Any payload through the scripts in a redis-server of the target's own, through the queue in memory and through
//! Laravel's own script.

#![no_main]

#[path = "../../compat-tests/conformance/judge.rs"]
mod judge;

use std::cell::RefCell;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;

/// Ends the server when the target, however it ends, lets go of the pipe.
const SERVER: &str = r#"
    trap '' INT TERM
    redis-server --save '' --port 0 --dir "$0" --unixsocket "$0/redis.sock" >/dev/null &
    read -r _
    kill $!
    wait
    rm -rf "$0"
"#;

struct World {
    _server: Child,
    judge: judge::Judge,
}

impl World {
    fn new() -> World {
        let dir = tempfile::Builder::new().prefix("handover-fuzz-").tempdir().expect("a directory").keep();
        let mut server = Command::new("sh");
        let server = server.args(["-c", SERVER]).arg(&dir).stdin(Stdio::piped()).spawn().expect("sh");
        let socket = dir.join("redis.sock");
        let until = Instant::now() + Duration::from_secs(10);
        while UnixStream::connect(&socket).is_err() {
            assert!(Instant::now() < until, "redis-server does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        World { _server: server, judge: judge::Judge::new(&format!("redis+unix://{}", socket.display())) }
    }
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

fuzz_target!(|bytes: &[u8]| {
    WORLD.with_borrow_mut(|world| {
        world.judge.judge(bytes);
        world.judge.judge(&judge::payload(bytes));
    });
});
