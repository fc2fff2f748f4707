<?php

return [
    'default' => 'sqlite',
    'connections' => [
        'sqlite' => ['type' => 'sqlite', 'database' => 'runtime/jobs.sqlite', 'prefix' => 'tp_'],
        'mysql' => [
            'type' => 'mysql',
            'hostname' => '10.0.0.1,10.0.0.2,10.0.0.3',
            'hostport' => '3307',
            'database' => 'shop',
            'username' => 'worker',
            'password' => 'hunter2',
            'charset' => 'utf8mb4',
            'deploy' => 1,
            'rw_separate' => true,
            'master_num' => 2,
        ],
    ],
];
