//! What a child prints: into the log line by line with the job's id, and its end kept for the row of a job that it took
//! with it. Floods are read and counted, but not logged.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest line that is logged; the rest of it starts a new one.
const LONGEST_LINE: usize = 4096;
/// Lines that one job may log.
const LINES_A_JOB: u32 = 1000;
/// How much of the end is kept.
const KEPT: usize = 2048;

/// One child's output.
#[derive(Clone, Default)]
pub(super) struct Output(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    pid: u32,
    /// Id and name of the job in hand.
    job: Option<(String, String)>,
    lines: u32,
    dropped: u64,
    end: VecDeque<u8>,
}

impl Output {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn of_process(&self, pid: u32) {
        self.kept().pid = pid;
    }

    /// What is printed from here on belongs to this job, or to none.
    pub(super) fn belongs_to(&self, job: Option<(String, String)>) {
        let mut kept = self.kept();
        if kept.dropped > 0 {
            let (id, name) = kept.job.clone().unwrap_or_default();
            tracing::warn!(
                pid = kept.pid,
                id,
                job = name,
                "php: {} more lines were not logged",
                kept.dropped
            );
        }
        *kept = Kept { pid: kept.pid, job, ..Kept::default() };
    }

    /// The end of what was printed since the job began.
    pub(super) fn end(&self) -> String {
        let kept = self.kept();
        let bytes: Vec<u8> = kept.end.iter().copied().collect();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }

    fn keep(&self, piece: &[u8]) {
        let mut kept = self.kept();
        kept.end.extend(piece);
        let surplus = kept.end.len().saturating_sub(KEPT);
        kept.end.drain(..surplus);
    }

    fn line(&self, line: &[u8]) {
        let mut kept = self.kept();
        let line = String::from_utf8_lossy(line);
        if line.trim().is_empty() {
            return;
        }
        kept.lines += 1;
        if kept.lines > LINES_A_JOB {
            kept.dropped += 1;
            return;
        }
        let pid = kept.pid;
        match &kept.job {
            Some((id, job)) => tracing::info!(pid, id, job, "php: {}", line.trim_end()),
            None => tracing::info!(pid, "php: {}", line.trim_end()),
        }
    }

    /// Reads a stream to its end.
    pub(super) async fn read(self, mut stream: impl AsyncRead + Unpin) {
        let (mut line, mut piece) = (Vec::new(), vec![0; 8192]);
        while let Ok(read @ 1..) = stream.read(&mut piece).await {
            self.keep(&piece[..read]);
            for &byte in &piece[..read] {
                if byte != b'\n' {
                    line.push(byte);
                }
                if byte == b'\n' || line.len() >= LONGEST_LINE {
                    self.line(&line);
                    line.clear();
                }
            }
        }
        if !line.is_empty() {
            self.line(&line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_flood_is_read_to_its_end_and_only_its_end_is_kept() {
        let output = Output::default();
        output.belongs_to(Some(("id".into(), "App\\Jobs\\A".into())));
        let mut flood = "x".repeat(3 * LONGEST_LINE).into_bytes();
        flood.extend("\nline".repeat(5000).into_bytes());
        flood.extend(b"\nlast words \xff");
        output.clone().read(flood.as_slice()).await;
        assert!(output.end().ends_with("line\nlast words \u{fffd}"), "{}", output.end());
        assert!(output.end().len() <= KEPT + 8);
        assert!(output.kept().dropped > 4000);
        output.belongs_to(None);
        assert_eq!(output.end(), "");
    }
}
