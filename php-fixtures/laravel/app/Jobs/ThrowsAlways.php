<?php
// Throws at every attempt.

namespace App\Jobs;

class ThrowsAlways extends Job
{
    public function __construct(string $name = '', public string $message = 'boom')
    {
        parent::__construct($name);
    }

    public function handle(): void
    {
        $this->ran();
        throw new \RuntimeException($this->message);
    }
}
