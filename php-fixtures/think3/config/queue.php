<?php
// The connection of the fixture; its Redis is named by a file that the test writes beside `think`.

return [
    'default' => 'redis',
    'connections' => [
        'redis' => [
            'type' => 'redis',
            'queue' => 'default',
            'host' => (string) @file_get_contents(__DIR__.'/../redis'),
            'port' => 0,
            'password' => '',
            'select' => 0,
            'timeout' => 0,
            'persistent' => false,
            'retry_after' => 60,
        ],
    ],
    'failed' => ['type' => 'app\\Failer'],
];
