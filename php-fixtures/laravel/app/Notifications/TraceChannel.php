<?php
// Delivers notifications to the trace.

namespace App\Notifications;

use App\Trace;

class TraceChannel
{
    public function send($notifiable, $notification): void
    {
        Trace::line(class_basename($notification).' '.$notification->amount.' to '.class_basename($notifiable));
    }
}
