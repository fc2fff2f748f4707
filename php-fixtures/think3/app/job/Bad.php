<?php

namespace app\job;

use app\Trace;

/** An object job of the recorded scenarios, which throws. */
class Bad
{
    public $tries = 2;

    public $connection;

    public $queue;

    public $delay;

    public $m;

    public function handle()
    {
        Trace::add('Bad');
        throw new \DomainException($this->m);
    }
}
