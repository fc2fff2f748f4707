<?php
// A queued notification over a channel that traces it.

namespace App\Notifications;

use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Notifications\Notification;

class Paid extends Notification implements ShouldQueue
{
    use Queueable;

    public function __construct(public int $amount)
    {
    }

    public function via($notifiable): array
    {
        return [TraceChannel::class];
    }
}
