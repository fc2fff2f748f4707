<?php
// The redis queue and where failed jobs go, by the names Laravel 8's skeleton uses, and two more to vary in tests:
// REDIS_QUEUE_RETRY_AFTER and REDIS_QUEUE_BLOCK_FOR ("null" means null in both).

$seconds = fn ($value) => is_null($value) ? null : (int) $value;

return [
    'default' => env('QUEUE_CONNECTION', 'redis'),

    'connections' => [
        'sync' => ['driver' => 'sync'],
        'redis' => [
            'driver' => 'redis',
            'connection' => env('REDIS_QUEUE_CONNECTION', 'default'),
            'queue' => env('REDIS_QUEUE', 'default'),
            'retry_after' => $seconds(env('REDIS_QUEUE_RETRY_AFTER', 90)),
            'block_for' => $seconds(env('REDIS_QUEUE_BLOCK_FOR')),
            'after_commit' => false,
        ],
    ],

    'batching' => ['database' => 'sqlite', 'table' => 'job_batches'],

    'failed' => [
        'driver' => env('QUEUE_FAILED_DRIVER', 'database-uuids'),
        'database' => 'sqlite',
        'table' => 'failed_jobs',
    ],
];
