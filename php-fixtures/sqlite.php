<?php
// sqlite.php <database> <SQL>     runs the statements; of a SELECT it prints the rows as JSON.
// Text that is not UTF-8 is printed as {"base64": ...}. Knows nothing of Laravel or of queues.

$db = new PDO('sqlite:'.$argv[1], null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
$db->exec('PRAGMA busy_timeout = 10000; PRAGMA synchronous = OFF');

$sql = $argv[2];
$rows = str_starts_with(ltrim($sql), 'SELECT') ? $db->query($sql)->fetchAll(PDO::FETCH_ASSOC) : $db->exec($sql);

if (is_array($rows)) {
    array_walk_recursive($rows, function (&$value) {
        if (is_string($value) && ! mb_check_encoding($value, 'UTF-8')) {
            $value = ['base64' => base64_encode($value)];
        }
    });
}
echo json_encode($rows, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
