<?php
// A stand-in of our own for Composer's autoloader with topthink/framework 6 or 8 behind it, as far as Handover's probe
// reaches: an application that loads the files in config/, hands out its console, and can be asked for what it is. It
// runs no job and knows no command. The real framework was held against the same probe by hand.

namespace think;

class Config
{
    private $files = [];

    public function load($file)
    {
        $this->files[basename($file, '.php')] = require $file;
    }

    public function get($name)
    {
        return $this->files[$name] ?? null;
    }
}

class Container
{
    private static $instance;

    public static function getInstance()
    {
        return self::$instance;
    }

    public static function setInstance($instance)
    {
        self::$instance = $instance;
    }
}

class App
{
    const VERSION = '8.0.0';

    private $initialized = false;

    public function __construct()
    {
        Container::setInstance($this);
    }

    public function __get($name)
    {
        return $this->$name = $name === 'console' ? new Console() : new Config();
    }

    public function initialized()
    {
        return $this->initialized;
    }

    public function initialize()
    {
        $this->initialized = true;
        // From here on ThinkPHP shows no error to anybody.
        ini_set('display_errors', 'Off');
        foreach (glob(dirname(__DIR__).'/config/*.php') as $file) {
            $this->config->load($file);
        }
        $app = $this->config->get('app');
        date_default_timezone_set($app['default_timezone'] ?? 'Asia/Shanghai');
        // A service adds its commands while it boots.
        Console::starting(function () {
        });
    }

    public function getNamespace()
    {
        $app = $this->config->get('app');
        return $app['app_namespace'] ?? 'app';
    }

    public function getRuntimePath()
    {
        return dirname(__DIR__).'/runtime/';
    }
}
