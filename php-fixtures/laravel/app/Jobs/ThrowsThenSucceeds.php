<?php
// Throws at its first `times` attempts.

namespace App\Jobs;

class ThrowsThenSucceeds extends Job
{
    public function __construct(string $name = '', public int $times = 1)
    {
        parent::__construct($name);
    }

    public function handle(): void
    {
        $this->ran();
        if ($this->attempts() <= $this->times) {
            throw new \RuntimeException("attempt {$this->attempts()} of {$this->times} that throw");
        }
    }
}
