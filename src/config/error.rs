//! Why there is no configuration to start with: each with the value that is wrong and the way out.
//!
//! Never shows a password. Counterpart in PHP: the exceptions of `artisan` before a worker runs.

use std::path::PathBuf;

/// Why there is no configuration to start with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A variable that is no option.
    #[error(
        "The environment variable {variable} is no option of queue:work; `handover queue:work --help` lists them."
    )]
    UnknownVariable {
        /// Its name.
        variable: String,
    },
    /// A variable that is no text.
    #[error("The environment variable {variable} is not UTF-8.")]
    NotUtf8 {
        /// Its name.
        variable: String,
    },
    /// A value that is no number.
    #[error("The --{name} option must be a number, [{given}] given.")]
    NotANumber {
        /// The option.
        name: String,
        /// What was given.
        given: String,
    },
    /// A value out of its range.
    #[error("The --{name} option {must}, [{given}] given.")]
    OutOfRange {
        /// The option.
        name: &'static str,
        /// What it must be.
        must: &'static str,
        /// What was given.
        given: String,
    },
    /// No app, and not enough flags to do without.
    #[error("There is no {framework} app in [{directory}]: no {file} file. Start in the app's directory, name it with --app, or {way}.", directory = .directory.display())]
    NoApp {
        /// Where it was looked for.
        directory: PathBuf,
        /// Whose app it would be.
        framework: &'static str,
        /// The file by which it is known.
        file: &'static str,
        /// How to do without.
        way: &'static str,
    },
    /// PHP cannot be run.
    #[error(
        "[{php}] cannot be run to read the app's configuration: {source}. Name your PHP with HANDOVER_PHP_BINARY."
    )]
    NoPhp {
        /// The command.
        php: String,
        /// Why.
        source: std::io::Error,
    },
    /// The app does not boot.
    #[error("The app in [{directory}] does not boot; PHP said: {said}", directory = .directory.display())]
    AppDoesNotBoot {
        /// The app.
        directory: PathBuf,
        /// What PHP printed, shortened.
        said: String,
    },
    /// The app's `.env` cannot be read.
    #[error(
        "[{path}] is not as phpdotenv reads it: line {line}. The app refuses it, too; a value with spaces or # wants \"double quotes\".", path = .path.display()
    )]
    OddDotenv {
        /// The file.
        path: PathBuf,
        /// The line's number and what is wrong, the value left out.
        line: String,
    },
    /// The app's cached configuration is more than literals.
    #[error(
        "[{path}] is not what `php artisan config:cache` writes: {what}. Write it anew, or let PHP read it: name yours with HANDOVER_PHP_BINARY.", path = .path.display()
    )]
    OddCache {
        /// The file.
        path: PathBuf,
        /// Where, and what was found.
        what: String,
    },
    /// A file of options that cannot be used.
    #[error("The file [{path}] {what}", path = .path.display())]
    OddFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, values left out.
        what: String,
    },
    /// Neither PHP nor a cached configuration.
    #[error(
        "The configuration of the app in [{directory}] cannot be read: it is not cached, and there is no PHP to run as [{php}]. Do one of: name your PHP with HANDOVER_PHP_BINARY; ship bootstrap/cache/config.php, which `php artisan config:cache` writes; give --redis and --prefix (and --queue, --lease) yourself; or let it be guessed from .env with --guess-config.", directory = .directory.display()
    )]
    NoWayToRead {
        /// The app.
        directory: PathBuf,
        /// The command that was tried.
        php: String,
    },
    /// No PHP, and an app that nobody but PHP can read.
    #[error(
        "The configuration of the app in [{directory}] cannot be read: there is no PHP to run as [{php}]. Name your PHP with HANDOVER_PHP_BINARY, or give --redis (and --queue, --lease) yourself.", directory = .directory.display()
    )]
    NoWayToAsk {
        /// The app.
        directory: PathBuf,
        /// The command that was tried.
        php: String,
    },
    /// A key prefix that is not to be guessed.
    #[error(
        "The key prefix cannot be guessed: how Laravel spells the APP_NAME [{name}] in ASCII is a table of PHP's. Set REDIS_PREFIX, or name it with --prefix."
    )]
    NoGuess {
        /// The app's name.
        name: String,
    },
    /// The app's configuration holds something of an unexpected type.
    #[error("The configuration of the app in [{directory}] is not as its framework reads it: {what}", directory = .directory.display())]
    OddConfiguration {
        /// The app.
        directory: PathBuf,
        /// What is wrong, values left out.
        what: String,
    },
    /// Not a Redis connection.
    #[error(
        "The queue connection [{connection}] has the driver [{driver}]; Handover works queues of the redis driver."
    )]
    NotRedis {
        /// The connection.
        connection: String,
        /// Its driver.
        driver: String,
    },
    /// Its Redis connection is missing, or of an unknown kind.
    #[error("The Redis connection of [{connection}] {what}.")]
    NoRedis {
        /// The queue connection.
        connection: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A framework that nobody here speaks.
    #[error("The --dialect option must be laravel, think, think2, think1 or hyperf, [{0}] given.")]
    UnknownDialect(String),
    /// A version that is none of the dialect's.
    #[error(
        "The --dialect-version option must be a version of {package} in the line that --dialect names, such as {such_as}, [{given}] given."
    )]
    OddVersion {
        /// The package.
        package: &'static str,
        /// Its last one.
        such_as: String,
        /// What was given.
        given: String,
    },
    /// `--failed-jobs` names no table.
    #[error(
        "The --failed-jobs option must be a URL of a database, such as mysql://user:password@host/database, pgsql://user:password@host/database or sqlite:///var/app.db; its query may hold table, charset, unix_socket, sslmode and sslrootcert."
    )]
    FailedJobs,
    /// A framework without a table of failed jobs.
    #[error(
        "The --failed-jobs option means nothing here: this framework keeps no failed jobs in a database."
    )]
    KeepsNoFailedJobs,
    /// A framework without a list of jobs that timed out.
    #[error(
        "The --reload option means nothing here: with this framework a reservation that ends brings its job back by itself."
    )]
    NothingToReload,
    /// A framework whose jobs are named by their whole class.
    #[error(
        "The --namespace option means nothing here: only ThinkPHP's jobs may be named without their namespace."
    )]
    NoNamespace,
    /// A framework without `queue:restart`.
    #[error("The --restart-key option means nothing here: this framework has no queue:restart.")]
    NoRestart,
    /// A consumer of Hyperf is a part of its server.
    #[error("{}", crate::dialect::hyperf::NO_POOL)]
    NoHyperfPool,
    /// No PHP child works this version.
    #[error(
        "The --php option wants think-queue 3.0.5 or later, [{}.{}.{}] is worked. Give its jobs handlers of their own or --http, or leave --php out and keep think's own worker.", .version.0, .version.1, .version.2
    )]
    NoThinkPool {
        /// The version that the dialect names.
        version: (u32, u32, u32),
    },
    /// A cluster keeps the keys of such a queue on several servers.
    #[error(
        "The queue [{queue}] is on a cluster, where the keys of a queue have to share a slot: its name has to be in braces, as in [{{{queue}}}]. Laravel puts them there itself from 13.5 on."
    )]
    Untagged {
        /// The queue.
        queue: String,
    },
    /// An `[[http]]` table that cannot be read.
    #[cfg(feature = "http")]
    #[error("A table [[http]] of the configuration file cannot be used: {what}.")]
    HttpTable {
        /// What is wrong, secrets left out.
        what: String,
    },
}
