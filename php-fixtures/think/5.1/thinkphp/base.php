<?php
// A stand-in of our own for the base file of topthink/framework 5.1, as far as Handover's probe reaches: an application in
// a container that loads the files in config/. It runs no job and knows no command.

namespace think;

class Config
{
    private $files = [];

    public function load($file)
    {
        $this->files[basename($file, '.php')] = require $file;
    }

    /** Of a name without a dot the entry of app, as there. */
    public function get($name)
    {
        return $this->files['app'][$name] ?? null;
    }

    public function pull($name)
    {
        return $this->files[$name] ?? [];
    }
}

class Container
{
    private static $app;

    public static function get($name)
    {
        return self::$app ?? self::$app = new App();
    }
}

class App
{
    const VERSION = '5.1.41 LTS';

    public $config;

    private $path;

    public function path($path)
    {
        $this->path = $path;
        return $this;
    }

    public function initialize()
    {
        if ($this->config) {
            return;
        }
        $this->config = new Config();
        foreach (glob(dirname($this->path).'/config/*.php') as $file) {
            $this->config->load($file);
        }
        date_default_timezone_set('Asia/Shanghai');
        // think-queue does so in a file that Composer loads with every request.
        Console::addDefaultCommands([]);
    }

    public function getNamespace()
    {
        return 'app';
    }

    public function getRuntimePath()
    {
        return dirname($this->path).'/runtime/';
    }
}
