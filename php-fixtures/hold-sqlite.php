<?php
// hold-sqlite.php <database> <gate>     locks the database for itself, says "held", and lets go when the file <gate> is
// there. Knows nothing of Laravel or of queues, and changes nothing.

$db = new PDO('sqlite:'.$argv[1], null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
$db->exec('PRAGMA busy_timeout = 10000');
$db->exec('BEGIN EXCLUSIVE');
echo "held\n";
while (! file_exists($argv[2])) {
    usleep(5_000);
    clearstatcache();
}
$db->exec('COMMIT');
