<?php
// A stand-in of our own for the console file of topthink/framework 5.0, as far as Handover's probe reaches: static
// classes, folders as constants, the files of application/extra. It runs no job and knows no command.

namespace think;

define('THINK_VERSION', '5.0.24');
defined('APP_PATH') or define('APP_PATH', dirname($_SERVER['SCRIPT_FILENAME']).'/');
define('RUNTIME_PATH', dirname(realpath(APP_PATH)).'/runtime/');

class Config
{
    private static $values = [];

    public static function set($name, $value)
    {
        self::$values[$name] = $value;
    }

    public static function get($name)
    {
        return self::$values[$name] ?? null;
    }
}

class App
{
    public static $namespace = 'app';

    public static function initCommon()
    {
        if (defined('APP_NAMESPACE')) {
            self::$namespace = APP_NAMESPACE;
        }
        Config::set('cache', ['type' => 'File', 'path' => RUNTIME_PATH.'cache/', 'prefix' => '', 'expire' => 0]);
        foreach (glob(APP_PATH.'extra/*.php') as $file) {
            Config::set(basename($file, '.php'), require $file);
        }
        date_default_timezone_set('PRC');
    }
}

Console::addDefaultCommands([]);
App::initCommon();
Console::init();
