<?php
// A child of the pool of think-queue 3: the application's own `queue:work`, booted once, in which pop() alone is
// Handover's. It asks its parent for jobs over a private socket and tells it what became of them; everything else (which
// class a job is, tries, timeouts, failed(), failed_jobs, events) is think's. Never reads or writes the queue's keys while
// the parent lives, so it opens the connection of the queue only when the parent is gone.
//
// Arguments: the socket, then queue:work and its own. Run in the application's directory, behind `link.php`. Written for
// PHP 7.3 and later, ThinkPHP 6 and 8, think-queue 3.0.5 and later. Counterpart: the `think` file, and
// `think\queue\connector\Redis::pop`.

namespace Handover;

use think\queue\event;

const RESTART = 'think:queue:restart';

/** What the worker takes for the queue manager and its connection. */
final class Queue extends Source
{
    private $app;

    private $cache;

    private $connection;

    private $unconnected;

    public function boot($app): void
    {
        $this->app = $app;
        // Jobs want one, and a real one connects as soon as it is made.
        $this->unconnected = (new \ReflectionClass(\think\queue\connector\Redis::class))->newInstanceWithoutConstructor();
    }

    /** The parent tells when to leave, or all children would at once: the worker sees no restart signal any more. */
    public function serve($worker): void
    {
        parent::serve($worker);
        $queue = $this;
        $this->cache = (function () use ($queue) {
            $cache = $this->cache;
            [$this->queue, $this->cache] = [$queue, null];

            return $cache;
        })->call($worker);
    }

    public function connection($name = null): self
    {
        $this->connection = $name;
        $this->turn = true;

        return $this;
    }

    public function pop($queue = null, $index = 0)
    {
        // The alarm of the last job goes on running, and would kill a process that only waits.
        extension_loaded('pcntl') && pcntl_alarm(0);

        return parent::pop($queue, $index);
    }

    protected function restartSignal()
    {
        return $this->cache->get(RESTART);
    }

    protected function job(array $head, string $raw, string $reserved)
    {
        $job = new Job($this->app, $this->unconnected, $raw, $reserved, $this->connection, $head['queue']);

        return $job->by($this->link, $head['token'], $head['fail'] ?? null);
    }
}

(function () {
    $link = begin('think');
    $queue = new Queue($link);

    require getcwd().'/vendor/autoload.php';
    declareClasses();
    $app = new \think\App();
    $console = $app->console;

    $queue->boot($app);
    $queue->serve($app->make(\think\queue\Worker::class));
    tellEvents($app->event, $queue, $link);

    // The worker's own lines are printed by the parent.
    $status = $console->doRun(new \think\console\Input(), new \think\console\Output('nothing'));
    // Under --once; otherwise the worker ends the process itself.
    $link->tell('done', ['status' => $status]);
    exit($status);
})();

/** How an attempt ends beyond what delete() and release() show. First of all listeners: one may keep others from hearing. */
function tellEvents($events, Queue $queue, Link $link): void
{
    $events->listen(event\JobFailed::class, $queue->teller('failed'), true);
    $events->listen(event\JobExceptionOccurred::class, $queue->teller('threw'), true);
    $events->listen(event\WorkerStopping::class, function ($event) use ($queue, $link) {
        // Status 1 is the alarm's, which is about to kill the process; all else is an orderly end.
        if ($event->status === 1) {
            $queue->timedOut();
        } else {
            $link->tell('done', ['status' => $event->status]);
        }
    }, true);
}

/** Classes whose parents exist only once the application's autoloader does. */
function declareClasses(): void
{
    /** Deletes and releases through the parent, at once. */
    final class Job extends \think\queue\job\Redis
    {
        use \think\queue\InteractsWithTime;

        public $token;

        private $link;

        /** Why it is to be failed instead of run. */
        private $crash;

        private $crashed = false;

        public function by(Link $link, int $token, ?string $crash): self
        {
            [$this->link, $this->token, $this->crash] = [$link, $token, $crash];

            return $this;
        }

        public function fire()
        {
            if ($this->crash === null) {
                return parent::fire();
            }
            $this->crashed = true;
            throw new JobCrashed($this->crash);
        }

        /** One that is to be failed gets past the worker's first look, and has had its one attempt at the second. */
        public function maxTries()
        {
            return $this->crash === null ? parent::maxTries() : (int) $this->crashed;
        }

        public function timeoutAt()
        {
            return $this->crash === null ? parent::timeoutAt() : null;
        }

        /** A job that is another worker's by now is left alone: no row, no event, no failed(). */
        public function markAsFailed()
        {
            parent::markAsFailed();
            // What it released is another worker's to reserve, and its failure still counts.
            if (! $this->isDeletedOrReleased() && ! $this->link->holds($this->token)) {
                $this->deleted = true;
            }
        }

        public function delete()
        {
            \think\queue\Job::delete();
            $this->link->tell('deleted', ['token' => $this->token]) || $this->connect(function () {
                parent::delete();
            });
        }

        public function release($delay = 0)
        {
            \think\queue\Job::release($delay);
            $released = ['token' => $this->token, 'at' => $this->availableAt($delay)];
            $this->link->tell('released', $released) || $this->connect(function () use ($delay) {
                parent::release($delay);
            });
        }

        /** There is no parent any more to settle the job: it settles itself, as it would have without one. */
        private function connect(\Closure $settle): void
        {
            $this->redis = $this->app->make(\think\Queue::class)->connection($this->connection);
            $settle();
        }
    }

    /** The process that ran the job ended, and the job has no attempt left. */
    final class JobCrashed extends \think\queue\exception\MaxAttemptsExceededException
    {
    }
}
