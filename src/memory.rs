//! How much memory processes hold, as the system counts it.
//!
//! Counterpart in PHP: `memory_get_usage(true)`, which counts PHP's own heap alone.

/// Bytes that this process holds in memory; `None` where the system does not tell.
pub(crate) fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
