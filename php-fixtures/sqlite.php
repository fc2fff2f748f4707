<?php
// sqlite.php <database> <SQL>...     runs each in turn and prints a JSON list: of a SELECT its rows, else a number.
// Text that is not UTF-8 is printed as {"base64": ...}. Knows nothing of Laravel or of queues.

$db = new PDO('sqlite:'.$argv[1], null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
$db->exec('PRAGMA busy_timeout = 10000; PRAGMA synchronous = OFF');

$results = [];
foreach (array_slice($argv, 2) as $sql) {
    $select = str_starts_with(ltrim($sql), 'SELECT');
    $results[] = $select ? $db->query($sql)->fetchAll(PDO::FETCH_ASSOC) : $db->exec($sql);
}
array_walk_recursive($results, function (&$value) {
    if (is_string($value) && ! mb_check_encoding($value, 'UTF-8')) {
        $value = ['base64' => base64_encode($value)];
    }
});
echo json_encode($results, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
