<?php
// A job behind middleware: `by` is overlap, free, dropped (an overlap that is not released), rate or throttle. Throws if
// told to.

namespace App\Jobs;

use Illuminate\Queue\Middleware\RateLimited;
use Illuminate\Queue\Middleware\ThrottlesExceptions;
use Illuminate\Queue\Middleware\WithoutOverlapping;

class Guarded extends Job
{
    public function __construct(string $name = '', public string $by = '', public bool $throws = false)
    {
        parent::__construct($name);
    }

    public function middleware(): array
    {
        return [match ($this->by) {
            'overlap' => (new WithoutOverlapping($this->name))->releaseAfter(15)->expireAfter(300),
            'free' => new WithoutOverlapping($this->name),
            'dropped' => (new WithoutOverlapping($this->name))->dontRelease(),
            'rate' => new RateLimited('fixture'),
            'throttle' => (new ThrottlesExceptions(2, 10))->backoff(5)->by($this->name),
        }];
    }

    public function handle(): void
    {
        $this->ran();
        if ($this->throws) {
            throw new \RuntimeException('guarded');
        }
    }
}
