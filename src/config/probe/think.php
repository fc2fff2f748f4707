<?php
// Runs the application's own `think` file, with a console in the place of think\Console that runs no command and answers
// with the parts of the configuration that a worker may need, as they are. Changes nothing and works nothing out.
// For ThinkPHP 5.0, 5.1, 6 and 8.

$argv = $_SERVER['argv'] = array('think', 'queue:work');
$argc = $_SERVER['argc'] = 2;
// ThinkPHP 5.0 works its folders out from here.
$_SERVER['SCRIPT_FILENAME'] = $_SERVER['SCRIPT_NAME'] = $_SERVER['PHP_SELF'] = 'think';

// What the last line of the file reaches: `$app->console->run()`, or `Console::init()` before version 6.
eval('namespace think;
class Console
{
    public function __call($method, $arguments)
    {
        if ($method !== "run") {
            return $this;
        }
        $app = Container::getInstance();
        $app->initialized() || $app->initialize();
        \handover_think(App::VERSION, $app->getNamespace(), $app->getRuntimePath(), $app->config);
    }

    public static function __callStatic($method, $arguments)
    {
        if ($method !== "init") {
            return;
        }
        if (defined("THINK_VERSION")) {
            \handover_think(THINK_VERSION, App::$namespace, RUNTIME_PATH, "think\\\\Config");
        }
        $app = Container::get("app");
        $app->initialize();
        \handover_think(App::VERSION, $app->getNamespace(), $app->getRuntimePath(), $app->config);
    }
}');

function handover_think($version, $namespace, $runtime, $config)
{
    $found = array();
    foreach (array('queue', 'cache', 'database') as $name) {
        // 5.1 has another method for a whole file.
        $whole = is_object($config) && is_callable(array($config, 'pull')) ? 'pull' : 'get';
        $found[$name] = call_user_func(array($config, $whole), $name);
    }
    handover_answer(array(
        'framework' => $version,
        'namespace' => $namespace,
        'runtime' => $runtime,
        'timezone' => date_default_timezone_get(),
        'config' => $found,
    ));
    exit(0);
}

// With its handler in place ThinkPHP shows an error to nobody but its log.
function handover_threw($error)
{
    fwrite(STDERR, get_class($error).': '.$error->getMessage().' in '.$error->getFile().':'.$error->getLine()."\n");
    exit(1);
}

register_shutdown_function(function () {
    $error = error_get_last();
    if ($error && in_array($error['type'], array(E_ERROR, E_PARSE, E_CORE_ERROR, E_COMPILE_ERROR))) {
        fwrite(STDERR, $error['message'].' in '.$error['file'].':'.$error['line']."\n");
    }
});
try {
    // Its first line is for the shell. In here __DIR__ is the directory that PHP was started in, and a closing tag in
    // front would be a statement before `declare(strict_types=1)`, which has to be the first.
    $code = preg_replace('/\A#!.*\R/', '', file_get_contents('think'));
    eval(preg_match('/\A<\?php\s/i', $code) ? substr($code, 5) : '?>'.$code);
} catch (Exception $error) {
    handover_threw($error);
} catch (Throwable $error) {
    handover_threw($error);
}
fwrite(STDERR, "The file think has come to its end and has not run think\\Console.\n");
