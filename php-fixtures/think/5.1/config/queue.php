<?php

return [
    'connector' => 'Redis',
    'expire' => 90,
    'default' => 'mails',
    'host' => getenv('REDIS_HOST') ?: '127.0.0.1',
    'port' => 0,
    'password' => '',
    'select' => 2,
];
