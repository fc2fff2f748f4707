<?php
// Chooses its own queue.

namespace App\Jobs;

class OnOtherQueue extends Job
{
    public function __construct(string $name = '', string $queue = 'other')
    {
        parent::__construct($name);
        $this->onQueue($queue);
    }

    public function handle(): void
    {
        $this->ran();
    }
}
