<?php

use function Hyperf\Support\env;

return [
    'default' => [
        'host' => env('REDIS_HOST', 'localhost'),
        'auth' => env('REDIS_AUTH', null),
        'port' => (int) env('REDIS_PORT', 6379),
        'db' => (int) env('REDIS_DB', 0),
        'cluster' => ['enable' => (bool) env('REDIS_CLUSTER_ENABLE', false), 'name' => null, 'seeds' => ['a:7000', 'b:7001']],
        'sentinel' => [
            'enable' => (bool) env('REDIS_SENTINEL_ENABLE', false),
            'master_name' => env('REDIS_MASTER_NAME', 'mymaster'),
            'nodes' => explode(';', env('REDIS_SENTINEL_NODE', '')),
            'auth' => env('REDIS_SENTINEL_PASSWORD', ''),
        ],
        'options' => ['prefix' => env('REDIS_PREFIX', '')],
    ],
    // 2 is Redis::OPT_PREFIX, by its number as before 3.0.39.
    'jobs' => ['host' => '10.0.0.1', 'auth' => ['worker', 'hunter2'], 'db' => 3, 'options' => [2 => 'jobs:']],
];
