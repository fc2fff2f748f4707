<?php
// Dispatches others, onto its own queue and another one, and one at once.

namespace App\Jobs;

class Dispatches extends Job
{
    public function handle(): void
    {
        $this->ran();
        Succeed::dispatch('same');
        Succeed::dispatch('other')->onQueue('other');
        Succeed::dispatch('later')->delay(60);
        Succeed::dispatchSync('at once');
    }
}
