<?php
// What every probe begins with: the marker is its first argument, and handover_answer() prints the one line of JSON that
// is read. Knows no framework; runs under any PHP that one of them runs under.

define('HANDOVER_MARKER', $argv[1]);
// PHP defines these only for a script that is a file; an application may use them.
foreach (array('STDIN' => 'r', 'STDOUT' => 'w', 'STDERR' => 'w') as $constant => $mode) {
    defined($constant) || define($constant, fopen('php://'.strtolower($constant), $mode));
}

function handover_plain($value)
{
    if (is_array($value)) {
        return array_map('handover_plain', $value);
    }
    if (is_object($value) || is_resource($value)) {
        $text = is_object($value) && method_exists($value, '__toString') ? (string) $value : null;
        return $text !== null ? $text : array("\0object" => is_object($value) ? get_class($value) : 'resource');
    }
    return is_float($value) && ! is_finite($value) ? null : $value;
}

function handover_answer(array $found)
{
    // Where PHP's client library goes for the host localhost.
    $found['mysql_socket'] = ini_get('pdo_mysql.default_socket') ?: null;
    $odd = defined('JSON_INVALID_UTF8_SUBSTITUTE') ? JSON_INVALID_UTF8_SUBSTITUTE : 0;
    fwrite(STDOUT, "\n".HANDOVER_MARKER.json_encode(handover_plain($found), $odd | JSON_UNESCAPED_SLASHES)."\n");
}
?>
