<?php
// Boots the application in this directory as artisan does and prints, behind a marker, the parts of its configuration
// that a worker may need, as they are, and what only a booted application knows: one line of JSON. Changes nothing and
// works nothing out, so that a cached configuration can be read in its place. Argument: the marker.

$marker = $argv[1];
$argv = $_SERVER['argv'] = ['artisan', 'queue:work'];
// PHP defines these only for a script that is a file; an application may use them.
foreach (['STDIN' => 'r', 'STDOUT' => 'w', 'STDERR' => 'w'] as $constant => $mode) {
    defined($constant) || define($constant, fopen('php://'.strtolower($constant), $mode));
}

is_file('vendor/autoload.php') && require getcwd().'/vendor/autoload.php';
$app = require getcwd().'/bootstrap/app.php';
$app->make(Illuminate\Contracts\Console\Kernel::class)->bootstrap();
$config = $app['config'];

$plain = function ($value) use (&$plain) {
    if (is_array($value)) {
        return array_map($plain, $value);
    }
    if (is_object($value) || is_resource($value)) {
        $text = is_object($value) && method_exists($value, '__toString') ? (string) $value : null;
        return $text !== null ? $text : ["\0object" => is_object($value) ? get_class($value) : 'resource'];
    }
    return is_float($value) && ! is_finite($value) ? null : $value;
};

// Laravel 13.26 keeps them in an object that has no getter.
$forwards = [];
if ($app->bound('queue.routes') && property_exists($app['queue.routes'], 'forwards')) {
    $property = new ReflectionProperty($app['queue.routes'], 'forwards');
    $property->setAccessible(true);
    foreach ($property->getValue($app['queue.routes']) as $from => $forward) {
        $forwards[] = array_merge([(string) $from], $forward);
    }
}

try {
    // What queue:work itself would write to: a package may have put something else in its place.
    $failer = get_class($app['queue.failer']);
} catch (Throwable $e) {
    $failer = null;
}

echo "\n$marker".json_encode($plain([
    'version' => $app->version(),
    'storage' => $app->storagePath(),
    'horizon' => class_exists('Laravel\Horizon\HorizonServiceProvider', false),
    'forwards' => $forwards,
    'failer' => $failer,
    // Where PHP's client library goes for the host localhost.
    'mysql_socket' => ini_get('pdo_mysql.default_socket') ?: null,
    'config' => [
        'app' => ['timezone' => $config['app.timezone']],
        'queue' => $config['queue'],
        'database' => [
            'default' => $config['database.default'],
            'connections' => $config['database.connections'],
            'redis' => $config['database.redis'],
        ],
        'cache' => $config['cache'],
        'horizon' => ['use' => $config['horizon.use'], 'prefix' => $config['horizon.prefix']],
    ],
]), JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES)."\n";
