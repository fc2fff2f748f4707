<?php
// Boots the application in this directory as artisan does and answers with the parts of its configuration that a worker
// may need, as they are, and what only a booted application knows. Changes nothing and works nothing out, so that a
// cached configuration can be read in its place.

$argv = $_SERVER['argv'] = ['artisan', 'queue:work'];

is_file('vendor/autoload.php') && require getcwd().'/vendor/autoload.php';
$app = require getcwd().'/bootstrap/app.php';
$app->make(Illuminate\Contracts\Console\Kernel::class)->bootstrap();
$config = $app['config'];

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

handover_answer([
    'version' => $app->version(),
    'storage' => $app->storagePath(),
    'horizon' => class_exists('Laravel\Horizon\HorizonServiceProvider', false),
    'forwards' => $forwards,
    'failer' => $failer,
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
]);
