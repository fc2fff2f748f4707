<?php
// An event that a queued listener hears.

namespace App\Events;

class OrderShipped
{
    public function __construct(public string $order)
    {
    }
}
