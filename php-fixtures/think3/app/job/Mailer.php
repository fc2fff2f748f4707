<?php

namespace app\job;

use app\Trace;

/** An object job of the recorded scenarios. */
class Mailer
{
    public $tries = 4;

    public $timeout = 33;

    public $connection;

    public $queue;

    public $delay;

    public $to;

    public $body;

    private $secret;

    protected $opts;

    public function handle()
    {
        Trace::add("Mailer $this->to");
    }
}
