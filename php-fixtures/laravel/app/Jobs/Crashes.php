<?php
// Kills its own process with SIGKILL at its first `times` attempts, as the kernel does when memory is short.

namespace App\Jobs;

class Crashes extends Job
{
    public function __construct(string $name = '', public int $times = 1)
    {
        parent::__construct($name);
    }

    public function handle(): void
    {
        $this->ran();
        if ($this->attempts() <= $this->times) {
            posix_kill(getmypid(), SIGKILL);
        }
    }
}
