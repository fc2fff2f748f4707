<?php
// Takes its process with it, and never gets to the end of failed().

namespace App\Jobs;

class FailsForever extends Job
{
    public function handle(): void
    {
        $this->ran();
        posix_kill(getmypid(), SIGKILL);
    }

    public function failed(\Throwable $e): void
    {
        pcntl_alarm(0);
        while (true) {
            usleep(5_000);
        }
    }
}
