<?php
// A stand-in of our own for Composer's autoloader with hyperf/support behind it, as far as an application's configuration
// files reach: the function env(), which reads the process' environment.

namespace Hyperf\Support;

function env($name, $default = null)
{
    $value = getenv($name);
    if ($value === false) {
        return $default;
    }
    $words = ['true' => true, 'false' => false, 'null' => null, 'empty' => ''];
    $word = trim(strtolower($value), '()');
    return array_key_exists($word, $words) ? $words[$word] : $value;
}
