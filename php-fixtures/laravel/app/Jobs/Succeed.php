<?php
// Succeeds, whatever it carries: numbers, strings, nested arrays.

namespace App\Jobs;

class Succeed extends Job
{
    public array $args;

    public function __construct(string $name = '', mixed ...$args)
    {
        parent::__construct($name);
        $this->args = $args;
    }

    public function handle(): void
    {
        $this->ran($this->args === [] ? '' : json_encode($this->args));
    }
}
