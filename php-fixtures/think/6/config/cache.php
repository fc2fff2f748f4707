<?php

return [
    'default' => 'file',
    'stores' => [
        'file' => ['type' => 'File', 'path' => '', 'prefix' => '', 'expire' => 0],
        'redis' => ['type' => 'redis', 'host' => '10.0.0.9', 'password' => 'hunter2', 'select' => 4, 'prefix' => 'shop:'],
        'memory' => ['type' => 'memcached'],
    ],
];
