//! The cache item of `queue:restart`: read when a worker starts, watched while it runs, written by the command.
//!
//! Watched in a task of its own, so that neither a slow cache nor one that is gone holds up a job; only a changed item
//! is ever told, never an error. Counterpart in PHP: `getTimestampOfLastQueueRestart` and `queueShouldRestart` of
//! `think\queue\Worker` and `Illuminate\Queue\Worker`.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use redis::cmd;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Signal;
use crate::dialect::RestartItem;
use crate::redis::Redis;

/// The time between two looks, and how long the first one may hold up a start.
const EVERY: Duration = Duration::from_secs(1);
/// The length of what ThinkPHP's file cache puts before a value.
const THINK_HEAD: usize = 32;

/// Where the item stands.
#[derive(Clone, Debug)]
pub enum RestartKey {
    /// In a Redis, under this key, the cache's prefix included.
    Redis(Redis, String),
    /// In a file of a file cache.
    File {
        /// The file.
        path: PathBuf,
        /// The framework's way to write it.
        item: RestartItem,
    },
}

/// What it holds; nothing where it is missing.
type Seen = Option<Vec<u8>>;

impl RestartKey {
    /// Writes this Unix second: every worker that watches the item stops to be started anew.
    ///
    /// # Errors
    /// Where the cache does not take it.
    pub async fn write(&self, now: i64) -> io::Result<()> {
        match self {
            RestartKey::Redis(redis, key) => {
                let written = redis.query::<()>(key, cmd("SET").arg(key).arg(now)).await;
                written.map_err(io::Error::other)
            }
            RestartKey::File { path, item } => {
                if let Some(folder) = path.parent() {
                    tokio::fs::create_dir_all(folder).await?;
                }
                // PHP reads it at any moment: whole or not at all.
                let draft = path.with_extension("draft");
                tokio::fs::write(&draft, format!("{}{now}{}", item.head, item.tail)).await?;
                tokio::fs::rename(&draft, path).await
            }
        }
    }

    async fn read(&self) -> io::Result<Seen> {
        match self {
            RestartKey::Redis(redis, key) => {
                redis.query(key, cmd("GET").arg(key)).await.map_err(io::Error::other)
            }
            RestartKey::File { path, .. } => match tokio::fs::read(path).await {
                Ok(bytes) => {
                    let changed = tokio::fs::metadata(path).await?.modified()?;
                    Ok(kept(bytes, unix(changed), unix(SystemTime::now())))
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    /// What it holds when the worker starts; `None` where that could not be read yet.
    pub(crate) async fn at_start(&self) -> Option<Seen> {
        timeout(EVERY, self.read()).await.ok()?.ok()
    }

    /// Tells of the first change since `known`, and ends. Where nothing is known the first answer is what is.
    pub(crate) async fn watch(self, mut known: Option<Seen>, tell: mpsc::UnboundedSender<Signal>) {
        let mut looks = interval(EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_down = false;
        loop {
            looks.tick().await;
            match (self.read().await, &known) {
                (Ok(seen), Some(before)) if !is_same(before, &seen) => {
                    let _ = tell.send(Signal::Restart);
                    return;
                }
                (Ok(seen), _) => (known, is_down) = (known.or(Some(seen)), false),
                (Err(error), _) => {
                    if !std::mem::replace(&mut is_down, true) {
                        tracing::warn!("queue:restart cannot be heard of, work goes on: {error}");
                    }
                }
            }
        }
    }
}

/// The value in a cache file's bytes, unless it has expired.
fn kept(bytes: Vec<u8>, changed: i64, now: i64) -> Seen {
    if !bytes.starts_with(b"<?php\n//") || bytes.len() < THINK_HEAD {
        return Some(bytes);
    }
    let seconds = std::str::from_utf8(&bytes[8..20]).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0);
    let expired = seconds != 0 && now - seconds > changed;
    (!expired).then(|| bytes[THINK_HEAD..].to_vec())
}

fn unix(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs() as i64)
}

/// PHP's `==`: two numbers are compared as such, however they are written.
fn is_same(before: &Seen, seen: &Seen) -> bool {
    let number = |bytes: &[u8]| -> Option<f64> {
        let text = std::str::from_utf8(bytes).ok()?;
        let plain = text.strip_prefix("i:").and_then(|text| text.strip_suffix(';')).unwrap_or(text);
        plain.trim().parse().ok()
    };
    match (before, seen) {
        (Some(before), Some(seen)) => match (number(before), number(seen)) {
            (Some(before), Some(seen)) => before == seen,
            _ => before == seen,
        },
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;

    fn seen(text: &str) -> Seen {
        Some(text.as_bytes().to_vec())
    }

    #[test]
    fn think_row_30_values_are_compared_loosely() {
        for (before, now, same) in [
            (None, None, true),
            (None, seen("1700000000"), false),
            (seen("1700000000"), None, false),
            (seen("1700000000"), seen("1700000000"), true),
            (seen("1700000000"), seen("1700000000.0"), true),
            (seen("i:1700000000;"), seen("1700000000"), true),
            (seen("1700000000"), seen("1700000001"), false),
            (seen("a"), seen("b"), false),
        ] {
            assert_eq!(is_same(&before, &now), same, "{before:?} {now:?}");
        }
    }

    #[test]
    fn the_value_stands_behind_the_head_until_it_expires() {
        let file = |seconds: i64| format!("<?php\n//{seconds:012}\n exit();?>\n1700000000").into_bytes();
        assert_eq!(kept(file(0), 5, 1 << 40), seen("1700000000"));
        assert_eq!(kept(file(10), 5, 15), seen("1700000000"));
        assert_eq!(kept(file(10), 5, 16), None);
        assert_eq!(kept(b"9999999999i:1700000000;".to_vec(), 5, 6), seen("9999999999i:1700000000;"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_written_is_told_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let item = Dialect::default().restart_item().unwrap();
        let key = RestartKey::File { path: folder.path().join(item.file), item };
        let nothing = key.at_start().await;
        assert_eq!(nothing, Some(None));
        key.write(1_700_000_000).await.unwrap();
        let first = key.at_start().await;
        assert_eq!(first, Some(seen("9999999999i:1700000000;")));

        let (tell, mut told) = mpsc::unbounded_channel();
        key.clone().watch(nothing, tell).await;
        assert_eq!(told.recv().await, Some(Signal::Restart));
        // It closes without a word where the item stays what it was, or what nobody knew.
        for known in [first, None] {
            let (tell, mut told) = mpsc::unbounded_channel();
            let watching = timeout(EVERY * 3 / 2, key.clone().watch(known, tell));
            assert!(watching.await.is_err() && told.try_recv().is_err());
        }
    }
}
