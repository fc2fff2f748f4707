<?php

namespace app\job;

use app\Trace;
use think\queue\Job;

/** What the recorded scenarios of think-queue push by name: the same doings, the same trace. */
class Hello
{
    public function fire(Job $job, $data)
    {
        Trace::add('Hello fire '.$job->attempts().' '.json_encode($data));
        $job->delete();
    }

    public function task(Job $job)
    {
        Trace::add('Hello task '.$job->attempts());
        $job->delete();
    }

    public function boom(Job $job, $data)
    {
        Trace::add('Hello boom '.$job->attempts());
        throw new \RuntimeException('boom '.json_encode($data));
    }

    public function later(Job $job, $data)
    {
        Trace::add('Hello later '.$job->attempts());
        $job->release($data['delay'] ?? 30);
    }

    public function forgets(Job $job)
    {
        Trace::add('Hello forgets '.$job->attempts());
    }

    public function slow(Job $job, $data)
    {
        Trace::add('Hello slow '.$job->attempts());
        sleep($data['s'] ?? 3);
        $job->delete();
    }

    public function failed($data, $e = null)
    {
        Trace::add('Hello failed() '.json_encode($data).' '.($e ? get_class($e).' '.$e->getMessage() : ''));
    }
}
