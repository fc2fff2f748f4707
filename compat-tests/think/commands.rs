//! think-queue 3's commands for failed jobs, on its table: §10 and row 33.

use handover::sql::{Database, Driver};

use super::shell::{handover, job, push, work};
use crate::support::database::sqlite_file;
use crate::support::process::Finished;
use crate::support::redis::Redis;

const READY: &str = "{queues:default}";

/// A Redis, and an app's database with its table of failed jobs.
struct Scene {
    redis: Redis,
    folder: tempfile::TempDir,
    database: Database,
    /// The option that names the table.
    table: String,
}

impl Scene {
    async fn new() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let file = sqlite_file(folder.path());
        let table = format!("--failed-jobs=sqlite://{}", file.database);
        let database = Database::new(Driver::Sqlite, vec![file]);
        let scene = Scene { redis: Redis::start(), folder, database, table };
        scene.sql(super::failed::TABLE, &[]).await;
        scene
    }

    async fn sql(&self, sql: &str, values: &[&str]) {
        let mut session = self.database.begin().await.unwrap();
        session.execute(sql, values).await.unwrap();
        session.commit().await.unwrap();
    }

    async fn fails(&self, queue: &str, payload: &str) {
        let sql = "insert into failed_jobs (connection, queue, payload, exception, fail_time) \
                   values ('redis', ?, ?, 'Exception: boom', '2024-05-01 12:00:00')";
        self.sql(sql, &[queue, payload]).await;
    }

    async fn ids(&self) -> Vec<String> {
        let mut session = self.database.begin().await.unwrap();
        let rows = session.rows("select cast(id as text) from failed_jobs order by id", &[]).await.unwrap();
        session.commit().await.unwrap();
        rows.into_iter().map(|mut row| row.remove(0).unwrap()).collect()
    }

    fn run(&self, words: &[&str]) -> Finished {
        let words: Vec<&str> = words.iter().copied().chain(["--dialect=think", &*self.table]).collect();
        handover(&self.redis, &words)
    }

    #[track_caller]
    fn says(&self, words: &[&str], stdout: &str) {
        let told = self.run(words);
        assert_eq!((told.code, &*told.stdout), (0, stdout), "{words:?}: {}", told.stderr);
    }

    fn ready(&self, key: &str) -> Vec<String> {
        self.redis.query(&["LRANGE", key, "0", "-1"])
    }
}

#[tokio::test]
async fn queue_failed_is_a_table_with_the_newest_first() {
    let scene = Scene::new().await;
    scene.says(&["queue:failed"], "No failed jobs!\n");
    scene.fails("default", &job("Hello@boom", "1", 1, true)).await;
    let object = r#"{"job":"think\\queue\\CallQueuedHandler@call","data":{"commandName":"app\\job\\M","command":"O:9:\"app\\job\\M\":0:{}"},"attempts":1}"#;
    scene.fails("mail", object).await;
    scene.says(
        &["queue:failed"],
        "+----+------------+---------+------------+---------------------+\n\
         | ID | Connection | Queue   | Class      | Fail Time           |\n\
         +----+------------+---------+------------+---------------------+\n\
         | 2  | redis      | mail    | app\\job\\M  | 2024-05-01 12:00:00 |\n\
         | 1  | redis      | default | Hello@boom | 2024-05-01 12:00:00 |\n\
         +----+------------+---------+------------+---------------------+\n",
    );
}

#[tokio::test]
async fn row_33_queue_retry_pushes_with_no_attempt_spent_and_deletes_the_row() {
    let scene = Scene::new().await;
    for (queue, data) in [("default", r#"{"e":{}}"#), ("mail", "2"), ("default", "3")] {
        scene.fails(queue, &job("Hello", data, 4, true)).await;
    }
    scene.says(
        &["queue:retry", "2", "9", "2x", "1"],
        "The failed job [2] has been pushed back onto the queue!\n\
         Unable to find failed job with ID [9].\n\
         Unable to find failed job with ID [2x].\n\
         The failed job [1] has been pushed back onto the queue!\n",
    );
    let again = |data| job("Hello", data, 4, true).replace("\"attempts\":4", "\"attempts\":0");
    assert_eq!(scene.ready("{queues:mail}"), [again("2")]);
    assert_eq!(scene.ready(READY), [again(r#"{"e":[]}"#)]);
    assert_eq!(scene.ids().await, ["3"]);

    push(&scene.redis, READY, "waits");
    scene.says(&["queue:retry", "all"], "The failed job [3] has been pushed back onto the queue!\n");
    assert_eq!(scene.ready(READY)[1..], ["waits".to_owned(), again("3")], "at the tail");
    assert!(scene.ids().await.is_empty());
}

#[tokio::test]
async fn row_33_a_queue_without_a_name_is_the_default_one() {
    let scene = Scene::new().await;
    for queue in ["", "0"] {
        scene.fails(queue, &job("Hello", "1", 4, true)).await;
    }
    scene.says(
        &["queue:retry", "all"],
        "The failed job [2] has been pushed back onto the queue!\n\
         The failed job [1] has been pushed back onto the queue!\n",
    );
    assert_eq!(scene.ready(READY).len(), 2);
}

#[tokio::test]
async fn what_cannot_be_pushed_keeps_its_row_and_the_others_are_pushed() {
    let scene = Scene::new().await;
    scene.fails("default", "junk").await;
    scene.fails("default", &job("Hello", "2", 1, true)).await;
    scene.sql("update failed_jobs set connection = 'other' where id = 2", &[]).await;
    scene.fails("default", &job("Hello", "3", 1, true)).await;
    let told = scene.run(&["queue:retry", "all"]);
    assert_eq!(told.code, 1);
    assert_eq!(told.stdout, "The failed job [3] has been pushed back onto the queue!\n");
    assert!(told.stderr.contains("the failed job [1]: its row is left alone"), "{}", told.stderr);
    assert!(told.stderr.contains("name its Redis, and --connection=other"), "{}", told.stderr);
    assert_eq!(scene.ids().await, ["1", "2"]);
    scene.says(
        &["queue:retry", "--connection=other", "2"],
        "The failed job [2] has been pushed back onto the queue!\n",
    );

    // A Redis that refuses: nothing is pushed, so nothing is deleted.
    scene.fails("full", &job("Hello", "4", 1, true)).await;
    let _: () = scene.redis.query(&["SET", "{queues:full}", "no list"]);
    let told = scene.run(&["queue:retry", "4"]);
    assert_eq!((told.code, &*told.stdout), (1, ""), "{}", told.stderr);
    assert_eq!(scene.ids().await, ["1", "4"]);
}

#[tokio::test]
async fn queue_retry_does_not_lose_a_job_whose_row_cannot_be_deleted() {
    let scene = Scene::new().await;
    scene.fails("default", &job("Hello", "1", 1, true)).await;
    scene
        .sql("create trigger kept before delete on failed_jobs begin select raise(abort, 'kept'); end", &[])
        .await;
    let told = scene.run(&["queue:retry", "1"]);
    assert_eq!(told.code, 1);
    assert!(
        told.stderr.contains("it was pushed, and its row could not be deleted: queue:forget 1"),
        "{}",
        told.stderr
    );
    assert_eq!((scene.ready(READY).len(), scene.ids().await.len()), (1, 1));
}

#[tokio::test]
async fn queue_forget_and_queue_flush_delete_rows() {
    let scene = Scene::new().await;
    for data in ["1", "2", "3"] {
        scene.fails("default", &job("Hello", data, 1, true)).await;
    }
    scene.says(&["queue:forget", "2"], "Failed job deleted successfully!\n");
    scene.says(&["queue:forget", "2"], "No failed job matches the given ID.\n");
    assert_eq!(scene.ids().await, ["1", "3"]);
    scene.says(&["queue:flush"], "All failed jobs deleted successfully!\n");
    assert!(scene.ids().await.is_empty());
    assert!(scene.ready(READY).is_empty());
}

#[tokio::test]
async fn row_18_a_worker_keeps_its_failed_jobs_in_the_table_that_is_named() {
    let scene = Scene::new().await;
    push(&scene.redis, READY, &job("App\\Legacy@throws", "1", 0, true));
    let words = ["--dialect=think", "--stop-when-empty", "--tries=1", &scene.table];
    let end = work(&scene.redis, scene.folder.path(), &words).finish();
    assert_eq!(end.code, 0, "{}", end.stderr);
    let told = scene.run(&["queue:failed"]);
    assert!(told.stdout.contains("| 1  | redis      | default | App\\Legacy@throws | 20"), "{}", told.stdout);
    scene.says(&["queue:retry", "1"], "The failed job [1] has been pushed back onto the queue!\n");
    assert_eq!(scene.ready(READY), [job("App\\Legacy@throws", "1", 0, true)]);
}

#[test]
fn other_frameworks_failed_jobs_are_not_these() {
    let redis = Redis::start();
    for (words, told) in [
        (&["--dialect=think2"][..], "think-queue 2.0.4 keeps no failed jobs"),
        (&["--prefix="], "php artisan queue:failed"),
        (&["--dialect=think"], "give --failed-jobs"),
    ] {
        for command in
            [&["queue:failed"][..], &["queue:retry", "1"], &["queue:forget", "1"], &["queue:flush"]]
        {
            let end = handover(&redis, &[command, words].concat());
            assert_eq!((end.code, &*end.stdout), (1, ""));
            assert!(end.stderr.contains(told), "{}", end.stderr);
        }
    }
}
