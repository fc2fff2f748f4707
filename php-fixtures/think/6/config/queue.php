<?php

return [
    'default' => getenv('QUEUE_CONNECTION') ?: 'redis',
    'connections' => [
        'sync' => ['type' => 'sync'],
        'database' => ['type' => 'database', 'queue' => 'default', 'table' => 'jobs'],
        'redis' => [
            'type' => 'redis',
            'queue' => 'default',
            'host' => getenv('REDIS_HOST') ?: '127.0.0.1',
            'port' => getenv('REDIS_PORT') ?: 6379,
            'password' => getenv('REDIS_PASSWORD') ?: '',
            'select' => 0,
            'timeout' => 0,
            'persistent' => false,
        ],
    ],
    'failed' => ['type' => 'none', 'table' => 'failed_jobs'],
];
