<?php
// record-redis.php             hands every `database.redis` below to the real RedisManager and prints as JSON what its
// phpredis connector would open: host, port, password, database, prefix and what rewrites values. Never dials. `record`
// writes the answers to golden/redis-connections.json; a test compares that with a new run, and Handover with it.

require_once 'Illuminate/autoload.php';

use Illuminate\Foundation\Application;
use Illuminate\Redis\Connectors\PhpRedisConnector;
use Illuminate\Redis\RedisManager;

class Opened extends Exception
{
    public $settings;
}

class Connector extends PhpRedisConnector
{
    protected function createClient(array $config)
    {
        $opened = new Opened;
        $opened->settings = [
            'host' => $this->formatHost($config),
            'port' => (int) ($config['port'] ?? 6379),
            'password' => empty($config['password']) ? null : $config['password'],
            'database' => (int) ($config['database'] ?? 0),
            'prefix' => empty($config['prefix']) ? '' : $config['prefix'],
            'rewrites_values' => array_values(array_filter(['serializer', 'compression'], fn ($name) => ! empty($config[$name]))),
        ];
        throw $opened;
    }
}

$plain = ['host' => 'h', 'port' => 6379, 'database' => 1];
$global = ['options' => ['cluster' => 'redis', 'prefix' => 'p_']];
$connections = [
    'plain' => ['jobs' => $plain] + $global,
    'text numbers' => ['jobs' => ['port' => '6380', 'database' => '2', 'password' => 'x'] + $plain] + $global,
    'no database' => ['jobs' => ['host' => 'h', 'port' => 1]] + $global,
    'null password' => ['jobs' => ['password' => null] + $plain] + $global,
    'empty password' => ['jobs' => ['password' => ''] + $plain] + $global,
    'zero password' => ['jobs' => ['password' => '0'] + $plain] + $global,
    'password pair' => ['jobs' => ['password' => ['u', 'p']] + $plain] + $global,
    'password of one' => ['jobs' => ['password' => ['p']] + $plain] + $global,
    'user' => ['jobs' => ['username' => 'u', 'password' => 'p'] + $plain] + $global,
    'scheme' => ['jobs' => ['scheme' => 'tls'] + $plain] + $global,
    'scheme twice' => ['jobs' => ['scheme' => 'tls', 'host' => 'tls://h'] + $plain] + $global,
    'host with scheme' => ['jobs' => ['host' => 'tls://h'] + $plain] + $global,
    'socket' => ['jobs' => ['host' => '/run/redis.sock', 'port' => 0]] + $global,
    'prefix of its own' => ['jobs' => ['prefix' => 'own_'] + $plain] + $global,
    'prefix of its own alone' => ['jobs' => ['prefix' => 'own_'] + $plain, 'options' => []],
    'prefix in its options' => ['jobs' => ['options' => ['prefix' => 'opt_']] + $plain] + $global,
    'prefix everywhere' => ['jobs' => ['prefix' => 'own_', 'options' => ['prefix' => 'opt_']] + $plain] + $global,
    'no prefix by null' => ['jobs' => ['options' => ['prefix' => null]] + $plain] + $global,
    'no prefix by text' => ['jobs' => ['options' => ['prefix' => '']] + $plain] + $global,
    'prefix 0' => ['jobs' => $plain, 'options' => ['prefix' => '0']],
    'global null prefix' => ['jobs' => ['prefix' => 'own_'] + $plain, 'options' => ['prefix' => null]],
    'no options at all' => ['jobs' => $plain],
    'global password' => ['jobs' => $plain, 'options' => ['password' => 'g', 'prefix' => 'p_']],
    'serializer' => ['jobs' => ['options' => ['serializer' => 1]] + $plain] + $global,
    'no serializer' => ['jobs' => ['options' => ['serializer' => 0]] + $plain, 'options' => ['serializer' => 2]],
    'both' => ['jobs' => $plain, 'options' => ['serializer' => 2, 'compression' => 3]],
];
foreach ([
    'redis://h', 'redis://h:6380', 'redis://h/3', 'redis://h:6380/3', 'redis://:p@h', 'redis://u:p@h:1/2', 'rediss://u:p@h', 'tls://h:1', 'tcp://h:1',
    'redis://u@h', 'redis://:p%40%2Fs%3A@h', 'redis://:1234@h', 'redis://:0@h', 'redis://:true@h', 'redis://:null@h', 'redis://:p@ss@h', 'redis://:p:q@h',
    'redis://:p#q@h:1', 'redis://h/0', 'redis://h/', 'redis://h/a', 'redis://h?prefix=q_', 'redis://h/2?database=5&password=s', 'redis://h?a[b]=c&prefix=x%20y+z',
    'redis://[::1]:6380/1', 'h:6380', '//h:6380/2', 'h', 'valkey://h:1', 'redis://h:99999', 'redis://h:port', 'redis://', 'redis:///x', 'redis://:p+q@h', 'REDIS://h', 'redis://h/1#f', 'redis://h?prefix=%22j%22',
] as $url) {
    $connections["url $url"] = ['jobs' => ['url' => $url] + $plain] + $global;
    $connections["text $url"] = ['jobs' => $url] + $global;
}
$connections['empty url'] = ['jobs' => ['url' => ''] + $plain] + $global;
$connections['null url'] = ['jobs' => ['url' => null] + $plain] + $global;
$connections['url and scheme'] = ['jobs' => ['url' => 'redis://h', 'scheme' => 'tls']] + $global;

$recorded = [];
foreach ($connections as $case => $redis) {
    $manager = new RedisManager(new Application, 'phpredis', $redis);
    $manager->extend('phpredis', fn () => new Connector);
    set_error_handler(fn ($level, $message) => throw new ErrorException($message));
    try {
        $manager->connection('jobs');
    } catch (Opened $opened) {
        $recorded[] = ['case' => $case, 'redis' => $redis, 'opened' => $opened->settings];
    } catch (Throwable $e) {
        $recorded[] = ['case' => $case, 'redis' => $redis, 'error' => $e->getMessage()];
    }
    restore_error_handler();
}

echo json_encode($recorded, JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR)."\n";
