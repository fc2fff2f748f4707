<?php
// Writes bytes into the socket between its own process and the worker's at its first attempt. `then`: wait for its end,
// exit, shut the socket and go on, or just go on. In a process that is no child of Handover's it does nothing.

namespace App\Jobs;

class Hostile extends Job
{
    public function __construct(string $name = '', public string $base64 = '', public string $then = 'wait')
    {
        parent::__construct($name);
    }

    public function handle(): void
    {
        $this->ran();
        if (! $this->job instanceof \Handover\Job || $this->attempts() > 1) {
            return;
        }
        $link = (function () { return $this->link; })->call($this->job);
        $stream = (function () { return $this->stream; })->call($link);
        fwrite($stream, base64_decode($this->base64));
        $this->then === 'exit' && exit(0);
        $this->then === 'shut' && stream_socket_shutdown($stream, STREAM_SHUT_RDWR);
        while ($this->then === 'wait') {
            usleep(5_000);
        }
    }
}
