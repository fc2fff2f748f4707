<?php
// One sqlite file and one Redis (a unix socket: REDIS_HOST is its path, REDIS_PORT 0), the prefix as in Laravel 8's
// skeleton. Never opens a connection.

use Illuminate\Support\Str;

$redis = [
    'host' => env('REDIS_HOST', '127.0.0.1'),
    'username' => env('REDIS_USERNAME'),
    'password' => env('REDIS_PASSWORD'),
    'port' => (int) env('REDIS_PORT', 6379),
];

return [
    'default' => 'sqlite',

    'connections' => [
        'sqlite' => [
            'driver' => 'sqlite',
            'database' => env('DB_DATABASE', database_path('database.sqlite')),
            'prefix' => '',
            'foreign_key_constraints' => true,
        ],
    ],

    'migrations' => 'migrations',

    'redis' => [
        'client' => 'phpredis',
        'options' => [
            'cluster' => 'redis',
            'prefix' => env('REDIS_PREFIX', Str::slug(env('APP_NAME', 'laravel'), '_').'_database_'),
        ],
        'default' => $redis + ['database' => env('REDIS_DB', '0')],
        'cache' => $redis + ['database' => env('REDIS_CACHE_DB', '1')],
    ],
];
