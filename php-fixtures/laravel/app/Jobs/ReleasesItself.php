<?php
// Puts itself back at its first `times` attempts.

namespace App\Jobs;

class ReleasesItself extends Job
{
    public function __construct(string $name = '', public int $wait = 0, public int $times = 1)
    {
        parent::__construct($name);
    }

    public function handle(): void
    {
        $this->ran();
        if ($this->attempts() <= $this->times) {
            $this->release($this->wait);
        }
    }
}
