<?php

namespace app\job;

use app\Trace;
use think\queue\Job;

/** Does to its job what its data lists, in that order. */
class Deeds
{
    public function fire(Job $job, $data)
    {
        Trace::add('Deeds '.$job->getJobId().' attempt '.$job->attempts());
        foreach ($data['deeds'] as $deed) {
            [$what, $of] = explode(':', $deed, 2) + [1 => ''];
            $this->$what($job, $of);
        }
    }

    public function failed($data, $e)
    {
        Trace::add('failed() '.get_class($e));
        if (in_array('failsToFail', $data['deeds'], true)) {
            throw new \LogicException('failed() threw');
        }
    }

    private function delete(Job $job): void
    {
        $job->delete();
    }

    private function release(Job $job, string $delay): void
    {
        $job->release((int) $delay);
    }

    private function releaseInterval(Job $job, string $delay): void
    {
        $job->release(new \DateInterval("PT{$delay}S"));
    }

    private function releaseDate(Job $job, string $delay): void
    {
        $job->release(new \DateTime("+$delay seconds"));
    }

    private function boom(): void
    {
        throw new \RuntimeException('boom');
    }

    private function error(): void
    {
        no_such_function();
    }

    private function failsToFail(): void
    {
        $this->boom();
    }

    private function sleep(Job $job, string $seconds): void
    {
        usleep((int) ($seconds * 1e6));
    }

    private function wait(): void
    {
        while (! is_file(dirname(__DIR__, 2).'/gate')) {
            usleep(5000);
            clearstatcache();
        }
    }

    private function leave(Job $job, string $status): void
    {
        exit((int) $status);
    }

    private function kill(): void
    {
        posix_kill(getmypid(), SIGKILL);
    }

    private function say(Job $job, string $text): void
    {
        echo "$text\n";
        fwrite(STDERR, "$text to stderr\n");
    }
}
