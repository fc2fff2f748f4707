//! TCP ports for servers that are told their port: below the range that the system hands out by itself, so that no
//! outgoing connection takes one while its server is down. Never gives one out twice.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

const FIRST: u32 = 12_000;
/// The ports up to here are nobody's by default on Linux.
const COUNT: u32 = 20_000;

/// A port of localhost that nobody listens on.
pub fn free() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Two test processes begin at different places.
    let start = std::process::id().wrapping_mul(509);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = (FIRST + start.wrapping_add(step) % COUNT) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port");
}
