<?php
// Carries one value of any kind.

namespace App\Jobs;

class Carries extends Job
{
    public function __construct(string $name, public mixed $value)
    {
        parent::__construct($name);
    }

    public function handle(): void
    {
        $this->ran(get_debug_type($this->value));
    }
}
