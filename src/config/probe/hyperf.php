<?php
// Reads the configuration of a Hyperf application as its container would, without the container, which cannot be built
// without Swoole: the autoloader, then the files. Answers with the parts that a worker may need, as they are; `.env` is
// among this process' variables already. Changes nothing and works nothing out.

$argv = $_SERVER['argv'] = ['bin/hyperf.php', 'start'];
defined('BASE_PATH') || define('BASE_PATH', getcwd());

function handover_file($name)
{
    $own = BASE_PATH."/config/autoload/$name.php";
    if (is_file($own)) {
        return require $own;
    }
    // A part of the one large file is as good.
    $all = is_file(BASE_PATH.'/config/config.php') ? require BASE_PATH.'/config/config.php' : [];
    return isset($all[$name]) ? $all[$name] : null;
}

try {
    require BASE_PATH.'/vendor/autoload.php';
    handover_answer([
        'timezone' => date_default_timezone_get(),
        'config' => ['async_queue' => handover_file('async_queue'), 'redis' => handover_file('redis')],
    ]);
} catch (Throwable $error) {
    fwrite(STDERR, get_class($error).': '.$error->getMessage().' in '.$error->getFile().':'.$error->getLine()."\n");
    exit(1);
}
