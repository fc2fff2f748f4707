<?php
// Boots the application in this directory as artisan does and prints, behind a marker, what its configuration resolves
// to: one line of JSON. Changes nothing. Arguments: the marker, and the connection's name or nothing.

[$marker, $name] = [$argv[1], $argv[2] ?? ''];
$argv = $_SERVER['argv'] = ['artisan', 'queue:work'];
// PHP defines these only for a script that is a file; an application may use them.
foreach (['STDIN' => 'r', 'STDOUT' => 'w', 'STDERR' => 'w'] as $constant => $mode) {
    defined($constant) || define($constant, fopen('php://'.strtolower($constant), $mode));
}

is_file('vendor/autoload.php') && require getcwd().'/vendor/autoload.php';
$app = require getcwd().'/bootstrap/app.php';
$app->make(Illuminate\Contracts\Console\Kernel::class)->bootstrap();
$config = $app['config'];

$name = $name !== '' ? $name : $config['queue.default'];
$queue = $config["queue.connections.$name"];
$redisName = $queue['connection'] ?? null ?: 'default';
$redis = $config["database.redis.$redisName"];
$nodes = $redis === null ? $config["database.redis.clusters.$redisName"] : null;
if (is_string($redis) || isset($redis['url'])) {
    $redis = (new Illuminate\Support\ConfigurationUrlParser)->parseConfiguration($redis);
    $redis['scheme'] ??= in_array($redis['driver'] ?? '', ['tls', 'rediss'], true) ? 'tls' : null;
}
$global = $config['database.redis.options'] ?? [];
$client = $config['database.redis.client'] ?? 'phpredis';
$own = ($nodes ?? $redis)['options'] ?? [];
$sentinels = null;
if ($nodes !== null) {
    $global = array_merge($global, $config['database.redis.clusters.options'] ?? []);
    unset($nodes['options']);
} elseif (is_array($redis) && isset($redis[0])) {
    // A list of servers: predis with its replication by sentinels.
    $sentinels = array_values(array_diff_key($redis, ['options' => 1]));
    $options = array_merge($global, $own);
    $redis = ($options['parameters'] ?? []) + ['options' => $own, 'replication' => $options['replication'] ?? '', 'service' => $options['service'] ?? ''];
}
$place = function ($node) {
    $node = is_array($node) ? $node : (parse_url($node) ?: []);
    return (string) ($node['host'] ?? '127.0.0.1').':'.(int) ($node['port'] ?? 6379);
};
$context = function ($given) {
    // phpredis takes it with or without the level of the stream wrapper.
    $given = is_array($given) ? ($given['stream'] ?? $given['ssl'] ?? $given) : [];
    $text = fn ($value) => is_bool($value) ? ($value ? '1' : '0') : (string) $value;
    return (object) array_map($text, array_intersect_key($given, array_flip(['cafile', 'local_cert', 'local_pk', 'verify_peer'])));
};
$connectionPrefix = $redis['prefix'] ?? null;
$lateWins = $client === 'predis' || version_compare($app->version(), '9.12.0', '>=');
$prefix = $own['prefix'] ?? $global['prefix'] ?? ($lateWins ? null : $connectionPrefix) ?? '';
if ($lateWins && $connectionPrefix !== null) {
    $prefix = $connectionPrefix;
}

$failed = $config['queue.failed'] ?? [];
try {
    // What queue:work itself would write to: a package may have put something else in its place.
    $failer = get_class($app['queue.failer']);
    $failer = [
        'DatabaseUuidFailedJobProvider' => 'database-uuids', 'DatabaseFailedJobProvider' => 'database',
        'FileFailedJobProvider' => 'file', 'DynamoDbFailedJobProvider' => 'dynamodb', 'NullFailedJobProvider' => 'null',
    ][str_replace('Illuminate\Queue\Failed\\', '', $failer)] ?? $failer;
} catch (Throwable $e) {
    $failer = (string) ($failed['driver'] ?? 'null');
}
// "mysql::write" is the connection mysql, too.
$database = preg_replace('/::(read|write)$/', '', $failed['database'] ?? $config['database.default']);
$connection = $config["database.connections.$database"] ?? [];
$connection = isset($connection['url']) ? (new Illuminate\Support\ConfigurationUrlParser)->parseConfiguration($connection) : $connection;
$driver = $connection['driver'] ?? null;
// Laravel looks at `write` only where there is a `read`; of several it takes any.
$write = isset($connection['read']) ? ($connection['write'] ?? []) : [];
$servers = [];
foreach (isset($write[0]) ? $write : [$write] as $server) {
    $server += array_diff_key($connection, ['read' => 1, 'write' => 1]);
    $postgres = $driver === 'pgsql';
    $text = fn (...$names) => array_reduce($names, fn ($value, $name) => $value ?? (isset($server[$name]) && $server[$name] !== '' ? (string) $server[$name] : null));
    $hosts = (array) ($server['host'] ?? []) ?: [null];
    if ($postgres) {
        // libpq's own list.
        $hosts = array_merge(...array_map(fn ($host) => explode(',', (string) $host), $hosts));
    }
    $pdo = fn ($name, $number) => $server['options'][defined("PDO::MYSQL_ATTR_$name") ? constant("PDO::MYSQL_ATTR_$name") : $number] ?? null;
    $tls = ['mode' => $text('sslmode'), 'ca' => $text('sslrootcert'), 'cert' => $text('sslcert'), 'key' => $text('sslkey')];
    if (! $postgres) {
        $tls = ['ca' => $pdo('SSL_CA', 1009), 'cert' => $pdo('SSL_CERT', 1008), 'key' => $pdo('SSL_KEY', 1007)];
        $asked = array_filter($tls) || $pdo('SSL_CAPATH', 1010) || $pdo('SSL_CIPHER', 1011);
        $tls['mode'] = $asked ? (($pdo('SSL_VERIFY_SERVER_CERT', 1014) ?? true) ? 'verify-full' : 'require') : null;
    }
    $path = version_compare($app->version(), '9.0.0', '>=') ? ($server['search_path'] ?? $server['schema'] ?? []) : ($server['schema'] ?? []);
    if (is_string($path) && version_compare($app->version(), '9.0.0', '>=')) {
        preg_match_all('/[^\s,"\']+/', $path, $path);
        $path = $path[0];
    }
    foreach ($hosts as $host) {
        $socket = $postgres ? null : $text('unix_socket');
        if ($driver !== 'sqlite' && $socket === null && $host === 'localhost' && ! $postgres) {
            // So does PHP's client library, whatever the port.
            $socket = ini_get('pdo_mysql.default_socket') ?: null;
        }
        $servers[] = [
            'host' => $host === null || $host === '' ? null : (string) $host,
            'port' => ($port = $postgres ? $text('connect_via_port', 'port') : $text('port')) === null ? null : (int) $port,
            'socket' => $socket,
            'database' => (string) ($postgres ? $text('connect_via_database', 'database') : $text('database')),
            'username' => $text('username'),
            'password' => $text('password'),
            'charset' => $text('charset'),
            'collation' => $text('collation'),
            'timezone' => $text('timezone'),
            'search_path' => array_values(array_map('strval', (array) $path)),
            'init' => $postgres ? null : $pdo('INIT_COMMAND', 1002),
            'tls' => array_filter($tls) ?: (object) [],
        ];
    }
}

echo "\n$marker".json_encode([
    'version' => $app->version(),
    'timezone' => $config['app.timezone'] ?? 'UTC',
    'output_timezone' => $config['queue.output_timezone'] ?? null,
    'connection' => $name,
    'driver' => $queue['driver'] ?? null,
    'queue' => (string) ($queue['queue'] ?? 'default'),
    'retry_after' => isset($queue['retry_after']) ? (int) $queue['retry_after'] : null,
    'migration_batch_size' => isset($queue['migration_batch_size']) ? (int) $queue['migration_batch_size'] : null,
    'horizon' => class_exists('Laravel\Horizon\HorizonServiceProvider', false),
    'redis' => $redis === null && $nodes === null ? null : [
        'name' => $redisName,
        'cluster' => $nodes === null ? null : array_map($place, array_values($nodes)),
        // Without it predis spreads keys by itself.
        'spreads_keys' => $nodes !== null && $client === 'predis' && ($global['cluster'] ?? 'predis') !== 'redis',
        'sentinels' => $sentinels === null ? null : array_map($place, $sentinels),
        'service' => (string) ($redis['service'] ?? ''),
        'replication' => (string) ($redis['replication'] ?? ''),
        'context' => $context($redis['context'] ?? $redis['ssl'] ?? $own['context'] ?? $global['context'] ?? $global['ssl'] ?? null),
        'scheme' => $redis['scheme'] ?? (is_array($first = ($nodes ? reset($nodes) : null)) ? ($first['scheme'] ?? null) : null),
        'host' => (string) ($redis['host'] ?? $redis['path'] ?? '127.0.0.1'),
        'port' => (int) ($redis['port'] ?? 6379),
        'database' => (int) ($redis['database'] ?? 0),
        'username' => isset($redis['username']) ? (string) $redis['username'] : null,
        'password' => ($password = $redis['password'] ?? ($nodes === null ? null : $own['password'] ?? $global['password'] ?? (is_array($first) ? $first['password'] ?? null : null))) === null ? null : (is_array($password) ? implode(':', $password) : (string) $password),
        'prefix' => (string) $prefix,
        'rewrites_values' => array_values(array_filter(['serializer', 'compression'], fn ($option) => ! empty($own[$option] ?? $global[$option] ?? null))),
    ],
    'failed' => [
        'driver' => $failer,
        'table' => $failed['table'] ?? 'failed_jobs',
        'path' => $failed['path'] ?? storage_path('framework/cache/failed-jobs.json'),
        'limit' => (int) ($failed['limit'] ?? 100),
        'locks' => $config['cache.stores.file.lock_path'] ?? $config['cache.stores.file.path'] ?? storage_path('framework/cache/data'),
        'database' => [
            'name' => $database,
            'driver' => $driver,
            'servers' => $servers,
            'prefix' => $connection['prefix'] ?? '',
        ],
    ],
], JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES)."\n";
