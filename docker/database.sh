#!/bin/sh
# database.sh APP: makes the example app's SQLite database, failed_jobs and all, from its schema.
set -eu
php -r '$db = new PDO("sqlite:".$argv[1]); $db->exec(file_get_contents($argv[2]));' \
    "$1/database/database.sqlite" "$1/database/schema.sql"
