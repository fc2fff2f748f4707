<?php
// Leaves a number of megabytes in use, so that the worker finds its --memory exceeded.

namespace App\Jobs;

class EatsMemory extends Job
{
    private static array $eaten = [];

    public function __construct(string $name = '', public int $megabytes = 16)
    {
        parent::__construct($name);
    }

    public function handle(): void
    {
        $this->ran();
        self::$eaten[] = str_repeat('x', $this->megabytes << 20);
    }
}
