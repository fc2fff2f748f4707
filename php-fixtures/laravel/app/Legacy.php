<?php
// Jobs pushed by name ("App\Legacy@fire"), as in Laravel 4 and 5: they must delete or release themselves.

namespace App;

use Illuminate\Contracts\Queue\Job;

class Legacy
{
    public function fire(Job $job, mixed $data): void
    {
        $this->ran($job, 'fire', $data);
        $job->delete();
    }

    public function again(Job $job, mixed $data): void
    {
        $this->ran($job, 'again', $data);
        $job->attempts() > 1 ? $job->delete() : $job->release(0);
    }

    public function throws(Job $job, mixed $data): void
    {
        $this->ran($job, 'throws', $data);
        throw new \RuntimeException('legacy boom');
    }

    /** Neither deletes nor releases: the job stays reserved. */
    public function forgets(Job $job, mixed $data): void
    {
        $this->ran($job, 'forgets', $data);
    }

    private function ran(Job $job, string $method, mixed $data): void
    {
        Trace::line("Legacy $method attempt {$job->attempts()} ".json_encode($data));
    }
}
