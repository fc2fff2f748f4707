<?php
// Never runs beside another of its name: middleware with a lock in the cache. Back after 10 seconds if it would.

namespace App\Jobs;

use Illuminate\Queue\Middleware\WithoutOverlapping;

class Overlaps extends Job
{
    public function middleware(): array
    {
        return [(new WithoutOverlapping($this->name))->releaseAfter(10)];
    }

    public function handle(): void
    {
        $this->ran();
    }
}
