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
        for ($end = microtime(true) + $this->seconds; microtime(true) < $end;) {
            usleep(10_000);
        }
        $this->ran('ends');
    }
}
