<?php
// One at a time in the queue: its lock is in the cache from dispatch until it is done.

namespace App\Jobs;

use Illuminate\Contracts\Queue\ShouldBeUnique;

class Unique extends Job implements ShouldBeUnique
{
    public int $uniqueFor = 600;

    public function uniqueId(): string
    {
        return $this->name;
    }

    public function handle(): void
    {
        $this->ran();
    }
}
