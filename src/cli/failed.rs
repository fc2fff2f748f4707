//! `queue:failed`, `queue:retry`, `queue:forget` and `queue:flush` on think-queue 3's table of failed jobs.
//!
//! A job is pushed before its row is deleted: where this ends between the two, the job runs again and its row is still
//! there; it is never in neither place. Counterpart in PHP: `ListFailed`, `Retry`, `ForgetFailed` and `FlushFailed` of
//! `think\queue\command`.

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Arg, ArgAction, ArgMatches, Command};
use handover::config::Config;
use handover::dialect::{Dialect, Think};
use handover::failed::{DatabaseStore, FailedRow};
use handover::queue::{Queue, RedisQueue};
use serde_json::Value;

use super::table::Table;
use super::{GREEN, WHITE_ON_RED, reached, reaching, say};

/// The commands, by name.
pub(crate) fn commands() -> [Command; 3] {
    let id = |help: &'static str| Arg::new("id").value_name("ID").required(true).help(help);
    [
        on_the_table(Command::new("queue:failed").alias("failed").about("List all of the failed queue jobs")),
        on_the_table(
            Command::new("queue:retry")
                .alias("retry")
                .about("Retry failed queue jobs: each is pushed onto its queue, then its row is deleted")
                .after_help(
                    "Where this ends between the two, a job is in its queue and in the table; it is never in neither.",
                ),
        )
        .arg(id("The ids of the failed jobs, or all").num_args(1..).action(ArgAction::Append)),
        on_the_table(Command::new("queue:forget").alias("forget").about("Delete a failed queue job"))
            .arg(id("The id of the failed job")),
    ]
}

/// What reaches the queue's Redis, and the table; arguments are the command's own.
fn on_the_table(command: Command) -> Command {
    let command = reaching(command)
        .mut_arg("connection", |connection| connection.long("connection").value_name("NAME"));
    command.arg(table())
}

/// The option that names the table.
pub(super) fn table() -> Arg {
    let table = Arg::new("failed-jobs").long("failed-jobs").value_name("URL");
    table.help("The table of failed jobs, as for queue:work")
}

/// `queue:failed`.
pub(crate) async fn list(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let Kept { table, .. } = kept(reached(matches)?)?;
    let rows = table.rows().await?;
    if rows.is_empty() {
        say(GREEN, "No failed jobs!");
        return Ok(ExitCode::SUCCESS);
    }
    let mut shown = Table::new(["ID", "Connection", "Queue", "Class", "Fail Time"]);
    for row in rows {
        let class = class(&row.payload);
        shown.row([row.id, row.connection, row.queue, class, row.failed_at]);
    }
    print!("{shown}");
    Ok(ExitCode::SUCCESS)
}

/// `queue:retry`.
pub(crate) async fn retry(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let kept = kept(reached(matches)?)?;
    let ids: Vec<&String> = matches.get_many("id").expect("is required").collect();
    let all: Vec<String> = match ids[..] {
        [only] if only == "all" => kept.table.rows().await?.into_iter().map(|row| row.id).collect(),
        _ => ids.into_iter().cloned().collect(),
    };
    let mut code = ExitCode::SUCCESS;
    for id in all {
        match kept.table.row(&id).await? {
            None => say(WHITE_ON_RED, &format!("Unable to find failed job with ID [{id}].")),
            Some(row) => match kept.retry(&row).await {
                Ok(()) => {
                    say(GREEN, &format!("The failed job [{id}] has been pushed back onto the queue!"));
                }
                // The others are none the worse for it.
                Err(error) => {
                    eprintln!("handover: the failed job [{id}]: {error:#}");
                    code = ExitCode::FAILURE;
                }
            },
        }
    }
    Ok(code)
}

/// `queue:forget`.
pub(crate) async fn forget(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    let id: &String = matches.get_one("id").expect("is required");
    match kept(reached(matches)?)?.table.forget(id).await? {
        true => say(GREEN, "Failed job deleted successfully!"),
        false => say(WHITE_ON_RED, "No failed job matches the given ID."),
    }
    Ok(ExitCode::SUCCESS)
}

/// `queue:flush`.
pub(super) async fn flush(reached: (RedisQueue, Config)) -> anyhow::Result<ExitCode> {
    kept(reached)?.table.flush().await?;
    say(GREEN, "All failed jobs deleted successfully!");
    Ok(ExitCode::SUCCESS)
}

/// The table, and the queues that its jobs came from.
struct Kept {
    table: DatabaseStore,
    think: Think,
    queue: RedisQueue,
    connection: String,
    default_queue: String,
}

fn kept((queue, config): (RedisQueue, Config)) -> anyhow::Result<Kept> {
    let Config { dialect, connection, default_queue, .. } = &config;
    let think = match dialect {
        Dialect::Think(think) if think.version >= (3, 0, 0) => think.clone(),
        Dialect::Think(think) => {
            let (major, minor, patch) = think.version;
            bail!(
                "think-queue {major}.{minor}.{patch} keeps no failed jobs; its first version that does is 3.0"
            )
        }
        Dialect::Hyperf(_) => {
            bail!(
                "async-queue keeps its failed messages in Redis: see queue:info, queue:reload and queue:flush"
            )
        }
        Dialect::Laravel(_) => {
            bail!("the failed jobs of a Laravel app are in artisan's hands: php artisan queue:failed")
        }
    };
    let table = config.failed_table()?.context(
        "no table of failed jobs is named: give --failed-jobs, as mysql://user:password@host/database, with ?table= \
         where it is not failed_jobs",
    )?;
    let (connection, default_queue) = (connection.clone(), default_queue.clone());
    Ok(Kept { table, think, queue, connection, default_queue })
}

impl Kept {
    /// Pushed first: what cannot be pushed keeps its row.
    async fn retry(&self, row: &FailedRow) -> anyhow::Result<()> {
        let FailedRow { id, connection, queue, payload, .. } = row;
        if *connection != self.connection {
            bail!(
                "it was one of the connection [{connection}], and this is [{}]: name its Redis, and --connection={connection}",
                self.connection
            );
        }
        let payload = self.think.retried(payload.clone()).context("its row is left alone")?;
        // PHP's worker writes the name as it was typed, so that of `--queue=high,` may be empty.
        let queue = if matches!(queue.as_str(), "" | "0") { &self.default_queue } else { queue };
        self.queue.push(queue, &payload).await.context("its row is left alone")?;
        let forgotten = self.table.forget(id).await;
        forgotten.with_context(|| {
            format!(
                "it was pushed, and its row could not be deleted: queue:forget {id}, or it is pushed again"
            )
        })?;
        Ok(())
    }
}

/// What the table shows as a job's class: the first name in its object, else its `job`.
fn class(payload: &[u8]) -> String {
    let payload: Value = serde_json::from_slice(payload).unwrap_or_default();
    let command = payload["data"]["command"].as_str();
    let quoted =
        command.and_then(|command| command.split('"').skip(1).step_by(2).find(|name| !name.is_empty()));
    quoted.or(payload["job"].as_str()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::class;

    #[test]
    fn the_class_is_the_first_name_in_quotes_of_an_object_and_else_the_job() {
        let object = br#"{"job":"think\\queue\\CallQueuedHandler@call","data":{"command":"O:12:\"app\\job\\Mail\":0:{}"}}"#;
        assert_eq!(class(object), "app\\job\\Mail");
        assert_eq!(class(br#"{"job":"Hello@boom","data":{"command":null}}"#), "Hello@boom");
        assert_eq!(class(br#"{"job":"Hello@boom","data":{"command":"x"}}"#), "Hello@boom");
        assert_eq!(class(b"junk"), "");
    }
}
