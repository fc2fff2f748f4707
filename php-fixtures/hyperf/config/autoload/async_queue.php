<?php

use Hyperf\AsyncQueue\Driver\RedisDriver;

return [
    'default' => [
        'driver' => RedisDriver::class,
        'redis' => ['pool' => 'default'],
        'channel' => '{queue}',
        'timeout' => 2,
        'retry_seconds' => 5,
        'handle_timeout' => 20,
        'processes' => 1,
        'concurrent' => ['limit' => 4],
    ],
    'mails' => [
        'driver' => RedisDriver::class,
        'redis' => ['pool' => 'jobs'],
        'channel' => '{mails}',
        'retry_seconds' => [1, 5, 10],
    ],
    'bare' => ['driver' => RedisDriver::class, 'retry_seconds' => []],
];
