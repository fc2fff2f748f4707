<?php
// Calls fail(), with an exception where a message is given, and goes on.

namespace App\Jobs;

class FailsItself extends Job
{
    public function __construct(string $name = '', public ?string $message = null)
    {
        parent::__construct($name);
    }

    public function handle(): void
    {
        $this->ran();
        $this->fail($this->message === null ? null : new \LogicException($this->message));
    }
}
