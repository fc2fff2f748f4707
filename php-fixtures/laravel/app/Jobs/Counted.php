<?php
// Accounts for itself in a Redis of its own, which no test attacks: an entry at each start and each end, with the
// process that ran it. In Rust it takes `seconds`; here it ends at once.

namespace App\Jobs;

class Counted extends Job
{
    public function __construct(string $name = '', public string $tally = '', public float $seconds = 0)
    {
        parent::__construct($name);
    }

    public function handle(): void
    {
        $redis = new \Redis();
        $redis->connect($this->tally);
        foreach (['starts', 'ends'] as $what) {
            $redis->rPush($this->name, "php:".getmypid().":$what");
        }
    }
}
