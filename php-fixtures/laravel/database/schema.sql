-- The tables of Laravel 8's own migrations (queue:failed-table, queue:batches-table, cache:table) on SQLite, and a table
-- of users. Never holds a row that a test asserts on, save the three users.

CREATE TABLE failed_jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    uuid VARCHAR NOT NULL,
    connection TEXT NOT NULL,
    queue TEXT NOT NULL,
    payload TEXT NOT NULL,
    exception TEXT NOT NULL,
    failed_at DATETIME DEFAULT CURRENT_TIMESTAMP NOT NULL
);
CREATE UNIQUE INDEX failed_jobs_uuid_unique ON failed_jobs (uuid);

CREATE TABLE job_batches (
    id VARCHAR PRIMARY KEY NOT NULL,
    name VARCHAR NOT NULL,
    total_jobs INTEGER NOT NULL,
    pending_jobs INTEGER NOT NULL,
    failed_jobs INTEGER NOT NULL,
    failed_job_ids TEXT NOT NULL,
    options TEXT,
    cancelled_at INTEGER,
    created_at INTEGER NOT NULL,
    finished_at INTEGER
);

CREATE TABLE cache (
    key VARCHAR PRIMARY KEY NOT NULL,
    value TEXT NOT NULL,
    expiration INTEGER NOT NULL
);

CREATE TABLE cache_locks (
    key VARCHAR PRIMARY KEY NOT NULL,
    owner VARCHAR NOT NULL,
    expiration INTEGER NOT NULL
);

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    name VARCHAR NOT NULL
);
INSERT INTO users (name) VALUES ('Ada'), ('Grace'), ('Edsger');
