<?php
// A queued listener on a queue of its own.

namespace App\Listeners;

use App\Events\OrderShipped;
use App\Trace;
use Illuminate\Contracts\Queue\ShouldQueue;

class NotifyWarehouse implements ShouldQueue
{
    public string $queue = 'listeners';

    public int $tries = 2;

    public function handle(OrderShipped $event): void
    {
        Trace::line("NotifyWarehouse {$event->order}");
        if ($event->order === 'bad') {
            throw new \RuntimeException('no such order');
        }
    }

    public function failed(OrderShipped $event, \Throwable $e): void
    {
        Trace::line("NotifyWarehouse {$event->order} failed: {$e->getMessage()}");
    }
}
