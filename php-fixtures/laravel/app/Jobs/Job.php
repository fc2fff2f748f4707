<?php
// What every job of the fixtures shares: a name to tell it by, and a trace line for each run and each failure
// ("Succeed a attempt 1", "FailsItself b failed LogicException: no more"). Dynamic properties are allowed so that a
// test can give any job `tries`, `backoff`, `timeout`, `maxExceptions`, `failOnTimeout` or `retryUntil`.

namespace App\Jobs;

use App\Trace;
use Illuminate\Bus\Batchable;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Foundation\Bus\Dispatchable;
use Illuminate\Queue\InteractsWithQueue;
use Illuminate\Queue\SerializesModels;

#[\AllowDynamicProperties]
abstract class Job implements ShouldQueue
{
    use Batchable, Dispatchable, InteractsWithQueue, Queueable, SerializesModels;

    public function __construct(public string $name = '')
    {
    }

    abstract public function handle(): void;

    public function failed(\Throwable $e): void
    {
        Trace::line($this->called().' failed '.get_class($e).': '.$e->getMessage());
    }

    protected function ran(string $what = ''): void
    {
        Trace::line(rtrim($this->called().' attempt '.$this->attempts().' '.$what));
    }

    private function called(): string
    {
        return trim(class_basename($this).' '.$this->name);
    }
}
