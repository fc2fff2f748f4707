<?php
// Runs for a number of seconds, signals or not: for timeouts. Traces its start and its end.

namespace App\Jobs;

class Sleeps extends Job
{
    public function __construct(string $name = '', public float $seconds = 1)
    {
        parent::__construct($name);
    }

    public function handle(): void
    {
        $this->ran('starts');
        $end = microtime(true) + $this->seconds;
        while (($left = $end - microtime(true)) > 0) {
            usleep((int) ceil(min($left, 0.01) * 1e6));
        }
        $this->ran('ends');
    }
}
