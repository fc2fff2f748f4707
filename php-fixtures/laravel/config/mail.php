<?php
// Mails go nowhere: an array of the process keeps them.

return [
    'default' => 'array',
    'mailers' => ['array' => ['transport' => 'array']],
    'from' => ['address' => 'fixture@example.org', 'name' => 'Fixture'],
];
