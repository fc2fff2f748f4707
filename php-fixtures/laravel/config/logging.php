<?php
// Nothing is logged unless LOG_CHANNEL=single asks for storage/logs/laravel.log.

return [
    'default' => env('LOG_CHANNEL', 'quiet'),

    'channels' => [
        'quiet' => ['driver' => 'monolog', 'handler' => Monolog\Handler\NullHandler::class],
        'single' => ['driver' => 'single', 'path' => storage_path('logs/laravel.log')],
    ],
];
