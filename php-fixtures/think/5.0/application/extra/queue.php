<?php

return [
    'connector' => 'Redis',
    'expire' => null,
    'host' => getenv('REDIS_HOST') ?: '127.0.0.1',
    'port' => 0,
];
