<?php
// What a real application registers around its jobs: a rate limiter, a queued listener, a channel for notifications; with
// TRACE_EVENTS also a trace of every queue event, with the job's state as a listener sees it.

namespace App\Providers;

use App\Trace;
use Illuminate\Cache\RateLimiting\Limit;
use Illuminate\Support\Facades\Event;
use Illuminate\Support\Facades\Queue;
use Illuminate\Support\Facades\RateLimiter;

class FixtureServiceProvider extends \Illuminate\Support\ServiceProvider
{
    public function boot(): void
    {
        RateLimiter::for('fixture', fn ($job) => Limit::perHour(1)->by($job->name));
        Event::listen(\App\Events\OrderShipped::class, \App\Listeners\NotifyWarehouse::class);
        if (env('TRACE_EVENTS')) {
            $this->traceEvents();
        }
    }

    private function traceEvents(): void
    {
        $state = fn ($job) => implode(' ', array_keys(array_filter([
            'deleted' => $job->isDeleted(), 'released' => $job->isReleased(), 'failed' => $job->hasFailed(),
        ])));
        $trace = fn (string $what) => fn ($event) => Trace::line(rtrim(
            "$what {$event->connectionName} {$event->job->getQueue()} {$event->job->attempts()} {$state($event->job)}"
        ));
        Queue::before($trace('before'));
        Queue::after($trace('after'));
        Queue::failing($trace('failing'));
        Queue::exceptionOccurred($trace('exception'));
        Queue::looping(fn ($event) => is_file(storage_path('looped')) || Trace::line("looping {$event->queue}").touch(storage_path('looped')));
        Queue::stopping(fn () => Trace::line('stopping'));
    }
}
