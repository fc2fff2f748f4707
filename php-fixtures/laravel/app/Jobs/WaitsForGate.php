<?php
// Runs until the test opens its gate (the file storage/gates/<name>): a long job without a clock.

namespace App\Jobs;

class WaitsForGate extends Job
{
    public function handle(): void
    {
        $this->ran('waits');
        while (! file_exists(storage_path("gates/{$this->name}"))) {
            usleep(5_000);
            clearstatcache();
        }
        $this->ran('passes');
    }
}
