//! think-queue's table of failed jobs: its columns, and what is written into them.

use std::sync::Arc;

use chrono_tz::Tz;
use handover::failed::{DatabaseStore, FailedJob, FailedJobStore, KeyedBy};
use handover::queue::Queue;
use handover::sql::{Database, Driver};
use handover::{Context, Exception, Outcome, Worker};

use super::of;
use crate::conformance::speaking;
use crate::support::database::sqlite_file;
use crate::support::redis::Redis;

const TABLE: &str = "create table failed_jobs (id integer primary key autoincrement, connection text, queue text, \
                     payload longtext, exception longtext, fail_time timestamp default current_timestamp)";

#[tokio::test]
async fn row_18_the_last_attempt_is_a_row_with_the_attempts_before_it() {
    let (redis, folder) = (Redis::start(), tempfile::tempdir().unwrap());
    let database = Database::new(Driver::Sqlite, vec![sqlite_file(folder.path())]);
    let mut session = database.begin().await.unwrap();
    session.execute(TABLE, &[]).await.unwrap();
    session.commit().await.unwrap();
    let store = |database: &Database| {
        let store = DatabaseStore::new(database.clone(), "failed_jobs", KeyedBy::Id, Tz::UTC);
        store.unwrap().time_column("fail_time")
    };

    let queue = speaking(&redis, of("3.0.9"));
    let payload =
        r#"{"job":"Hello@boom","maxTries":null,"timeout":null,"data":{"a":1},"id":"i","attempts":0}"#;
    queue.push("default", payload.as_bytes()).await.unwrap();
    let boom = |_: serde_json::Value, _: Context| async { Outcome::Threw(Exception::msg("boom")) };
    let worker = Worker::on(queue).tries(2).failed_jobs(store(&database));
    worker.handle("app\\job\\Hello", boom).drain().await.unwrap();

    let mut session = database.begin().await.unwrap();
    let columns = "connection, queue, payload, exception, fail_time";
    let rows = session.rows(&format!("select {columns} from failed_jobs"), &[]).await.unwrap();
    session.commit().await.unwrap();
    let [row] = &rows[..] else { panic!("{rows:?}") };
    let texts: Vec<&str> = row.iter().map(|text| text.as_deref().unwrap_or("null")).collect();
    let once_before = payload.replace("\"attempts\":0", "\"attempts\":1");
    assert_eq!(texts[..3], ["redis", "default", &once_before]);
    assert!(texts[3].starts_with("RuntimeException: boom in "), "{}", texts[3]);
    assert_eq!(texts[4].len(), "2026-01-01 00:00:00".len());

    // The store reads and takes back what it wrote.
    let listed: Vec<FailedJob> = store(&database).list().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert!(listed[0].failed_at > 1_600_000_000);
    let store: Arc<dyn FailedJobStore> = Arc::new(store(&database));
    store.withdraw(&listed[0]).await.unwrap();
    assert!(store.list().await.unwrap().is_empty());
}
