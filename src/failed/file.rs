//! Failed jobs in one JSON file, the newest first: PHP reads and writes it, too, under a lock that we take as well.
//!
//! Counterpart in PHP: `Illuminate\Queue\Failed\FileFailedJobProvider`, and the `file` cache store for the lock.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use chrono::DateTime;
use chrono_tz::Tz;
use serde_json::{Value, json};

use super::{Error, FailedJob, FailedJobStore};
use crate::php;
use crate::queue::BoxFuture;

/// How long PHP's lock lasts, and for how long it waits for one.
const LOCK_SECONDS: u64 = 5;
const WAIT: Duration = Duration::from_secs(10);

/// The lock `laravel-failed-jobs` of the app's `file` cache store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheLock {
    /// The store's folder of locks.
    pub folder: PathBuf,
    /// Lock names carry `file-store-lock:` in front (Laravel 12.36 on).
    pub prefixed: bool,
}

/// A JSON file of failed jobs.
#[derive(Clone, Debug)]
pub struct FileStore {
    path: PathBuf,
    limit: usize,
    lock: CacheLock,
    timezone: Tz,
}

impl FileStore {
    /// The file at `path`, which keeps the newest `limit` jobs; times are written in the app's timezone.
    pub fn new(path: impl Into<PathBuf>, limit: usize, lock: CacheLock, timezone: Tz) -> Self {
        FileStore { path: path.into(), limit, lock, timezone }
    }

    fn read(&self) -> io::Result<Vec<Value>> {
        match fs::read(&self.path) {
            Ok(text) if text.iter().all(u8::is_ascii_whitespace) => Ok(Vec::new()),
            Ok(text) => Ok(serde_json::from_slice(&text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Whole or not at all: a crash leaves the old file.
    fn write(&self, jobs: &[Value]) -> io::Result<()> {
        let mut text = Vec::new();
        let pretty = serde_json::ser::PrettyFormatter::with_indent(b"    ");
        serde::Serialize::serialize(jobs, &mut serde_json::Serializer::with_formatter(&mut text, pretty))?;
        let text = php::json::escape(&String::from_utf8_lossy(&text));
        let draft = self.path.with_extension("json.draft");
        fs::write(&draft, text)?;
        fs::rename(&draft, &self.path)
    }

    fn entry(&self, job: &FailedJob) -> Value {
        let failed_at = DateTime::from_timestamp(job.failed_at, 0).unwrap_or_default();
        json!({
            "id": job.uuid,
            "connection": job.connection,
            "queue": job.queue,
            "payload": String::from_utf8_lossy(&job.payload),
            "exception": job.exception,
            "failed_at": failed_at.with_timezone(&self.timezone).format("%Y-%m-%d %H:%M:%S").to_string(),
            "failed_at_timestamp": job.failed_at,
        })
    }

    /// Changes the list under the lock.
    async fn change(
        &self,
        doing: &'static str,
        change: impl FnOnce(&mut Vec<Value>) + Send + 'static,
    ) -> Result<(), Error> {
        let store = self.clone();
        let path = self.path.display().to_string();
        let work = move || {
            let held = store.lock.acquire()?;
            let mut jobs = store.read()?;
            change(&mut jobs);
            jobs.truncate(store.limit);
            store.write(&jobs)?;
            held.release()
        };
        let done =
            tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(io::Error::other(error)));
        done.map_err(|source| Error::File { doing, path, source })
    }
}

impl FailedJobStore for FileStore {
    fn record<'a>(&'a self, job: &'a FailedJob) -> BoxFuture<'a, Result<(), Error>> {
        let entry = self.entry(job);
        Box::pin(self.change("recording a failed job", move |jobs| {
            jobs.retain(|job| job["id"] != entry["id"]);
            jobs.insert(0, entry);
        }))
    }

    fn withdraw<'a>(&'a self, job: &'a FailedJob) -> BoxFuture<'a, Result<(), Error>> {
        let entry = self.entry(job);
        Box::pin(self.change("withdrawing a failed job", move |jobs| jobs.retain(|job| *job != entry)))
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<FailedJob>, Error>> {
        Box::pin(async {
            let path = self.path.display().to_string();
            let jobs =
                self.read().map_err(|source| Error::File { doing: "reading failed jobs", path, source })?;
            let text = |job: &Value, field: &str| job[field].as_str().unwrap_or_default().to_owned();
            let job = |job: Value| FailedJob {
                uuid: text(&job, "id"),
                connection: text(&job, "connection"),
                queue: text(&job, "queue"),
                payload: Bytes::from(text(&job, "payload")),
                exception: text(&job, "exception"),
                failed_at: job["failed_at_timestamp"].as_i64().unwrap_or_default(),
            };
            Ok(jobs.into_iter().map(job).collect())
        })
    }
}

/// A lock that is held.
struct Held {
    path: PathBuf,
    content: String,
}

impl CacheLock {
    fn path(&self) -> PathBuf {
        let prefix = if self.prefixed { "file-store-lock:" } else { "" };
        let hash = sha1_smol::Sha1::from(format!("{prefix}laravel-failed-jobs")).digest().to_string();
        self.folder.join(&hash[..2]).join(&hash[2..4]).join(hash)
    }

    /// Takes the lock as PHP does; waits for a holder that is alive.
    fn acquire(&self) -> io::Result<Held> {
        let path = self.path();
        let began = Instant::now();
        loop {
            if let Some(content) = try_acquire(&path)? {
                return Ok(Held { path, content });
            }
            if began.elapsed() > WAIT {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "another process holds the lock on failed jobs",
                ));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Writes ten digits of expiry and the serialized owner, where no live holder has.
fn try_acquire(path: &Path) -> io::Result<Option<String>> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    file.lock()?;
    let mut known = Vec::new();
    file.read_to_end(&mut known)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let expiry = known.get(..10).and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u64>().ok());
    if expiry.is_some_and(|expiry| now < expiry) {
        return Ok(None);
    }
    let owner: String = std::iter::repeat_with(fastrand::alphanumeric).take(16).collect();
    let content = format!("{:010}s:16:\"{owner}\";", now + LOCK_SECONDS);
    overwrite(&mut file, content.as_bytes())?;
    Ok(Some(content))
}

fn overwrite(file: &mut File, content: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(0))?;
    file.set_len(0)?;
    file.write_all(content)
}

impl Held {
    /// Gives the lock back, unless it ran out and is another's by now.
    fn release(self) -> io::Result<()> {
        match fs::read_to_string(&self.path) {
            Ok(content) if content == self.content => fs::remove_file(&self.path),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Payload;

    fn failed(uuid: &str) -> FailedJob {
        let payload = Payload::parse(format!(r#"{{"uuid":"{uuid}","job":"A/é"}}"#)).unwrap();
        FailedJob::new("redis", "default", &payload, "boom".into(), 1_700_000_000)
    }

    fn store(directory: &Path, limit: usize) -> FileStore {
        let lock = CacheLock { folder: directory.join("locks"), prefixed: false };
        FileStore::new(directory.join("failed-jobs.json"), limit, lock, Tz::UTC)
    }

    #[tokio::test]
    async fn row_69_the_newest_first_as_php_prints_them_and_no_more_than_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        let store = store(directory.path(), 2);
        for uuid in ["a", "b", "a", "c"] {
            store.record(&failed(uuid)).await.unwrap();
        }
        assert_eq!(store.list().await.unwrap(), [failed("c"), failed("a")]);
        store.withdraw(&failed("c")).await.unwrap();
        assert_eq!(
            fs::read_to_string(&store.path).unwrap(),
            "[\n    {\n        \"id\": \"a\",\n        \"connection\": \"redis\",\n        \"queue\": \"default\",\n        \
             \"payload\": \"{\\\"uuid\\\":\\\"a\\\",\\\"job\\\":\\\"A\\/\\u00e9\\\"}\",\n        \"exception\": \"boom\",\n        \
             \"failed_at\": \"2023-11-14 22:13:20\",\n        \"failed_at_timestamp\": 1700000000\n    }\n]"
        );
        assert!(!store.lock.path().exists(), "the lock was given back");
    }

    #[test]
    fn a_held_lock_is_waited_for_and_an_expired_one_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let lock = CacheLock { folder: directory.path().to_owned(), prefixed: true };
        let held = lock.acquire().unwrap();
        assert!(try_acquire(&lock.path()).unwrap().is_none());
        held.release().unwrap();
        fs::write(lock.path(), "1000000000s:16:\"aaaaaaaaaaaaaaaa\";").unwrap();
        assert!(try_acquire(&lock.path()).unwrap().is_some());
    }
}
