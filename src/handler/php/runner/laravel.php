<?php
// A child of the pool: the application's own `queue:work`, booted once, in which pop() alone is Handover's. It asks its
// parent for jobs over a private socket and tells it what became of them; everything else (middleware, batches, chains,
// failed(), failed_jobs, timeouts) is Laravel's. Never reads or writes the queue's keys while the parent lives.
//
// Arguments: the socket, then queue:work and its own. Run in the application's directory, behind `link.php`. Written for
// PHP 7.3 and later. Counterpart: `artisan`, and `Illuminate\Queue\RedisQueue::pop`.

namespace Handover;

use Illuminate\Contracts\Queue\Factory;
use Illuminate\Queue\Events;

const RESTART = 'illuminate:queue:restart';

/** What the worker takes for the connection: pop() is ours, all else is the application's real queue. */
final class Queue extends Source
{
    private $app;

    private $real;

    private $connection;

    public function boot($app): void
    {
        $this->app = $app;
    }

    public function on($real, $connection): self
    {
        $this->real = $real;
        $this->connection = $connection;
        $this->turn = true;

        return $this;
    }

    public function __call($method, $arguments)
    {
        return $this->real->$method(...$arguments);
    }

    protected function restartSignal()
    {
        return $this->app['cache.store']->get(RESTART);
    }

    protected function job(array $head, string $raw, string $reserved)
    {
        $job = new Job(
            $this->link, $head['token'], $this->app, $this->real, $raw, $reserved, $this->connection, $head['queue']
        );
        $job->tellHorizon('JobReserved');
        $job->crash = $head['fail'] ?? null;

        return $job;
    }
}

(function () {
    define('LARAVEL_START', microtime(true));
    $link = begin('artisan');
    $queue = new Queue($link);

    is_file('vendor/autoload.php') && require getcwd().'/vendor/autoload.php';
    $app = require getcwd().'/bootstrap/app.php';
    declareClasses();

    $queue->boot($app);
    $app->extend('queue.worker', function ($worker, $app) use ($queue, $link) {
        $worker = withoutRestartCheck($worker, $link);
        $worker->setManager(new Manager($app['queue'], $queue));
        $queue->serve($worker);
        tellEvents($app['events'], $queue);

        return $worker;
    });

    $kernel = $app->make(\Illuminate\Contracts\Console\Kernel::class);
    $input = new \Symfony\Component\Console\Input\ArgvInput($_SERVER['argv']);
    $output = new LastWords;
    $status = $kernel->handle($input, $output);
    // An orderly end: whatever was left undone was meant to be.
    $link->tell('done', ['status' => $status]);
    // The worker's own lines are printed by the parent; what explains a failure is not kept from anybody.
    $status !== 0 && fwrite(STDERR, $output->text);
    $kernel->terminate($input, $status);
    exit($status);
})();

/** The parent hears of maintenance, and reads the restart signal and the pauses: else all children would leave at once, and a pause spin. */
function withoutRestartCheck($worker, Link $link)
{
    property_exists($worker, 'pausable') && $worker::$pausable = false;
    in_array('--force', $_SERVER['argv'], true) || (function () use ($link) {
        $isDown = $this->isDownForMaintenance;
        $this->isDownForMaintenance = function () use ($isDown, $link) {
            $down = $isDown();
            $down && $link->tell('down');

            return $down;
        };
    })->call($worker);
    if (property_exists($worker, 'restartable')) {
        $worker::$restartable = false;

        return $worker;
    }
    $parts = function () {
        return [$this->manager, $this->events, $this->exceptions, $this->isDownForMaintenance, $this->resetScope ?? null];
    };

    return new Worker(...$parts->call($worker));
}

/** How an attempt ends beyond what delete() and release() show. */
function tellEvents($events, Queue $queue): void
{
    $events->listen(Events\JobFailed::class, $queue->teller('failed'));
    $events->listen(Events\JobExceptionOccurred::class, $queue->teller('threw'));
    if (class_exists(Events\JobTimedOut::class)) {
        $events->listen(Events\JobTimedOut::class, function () use ($queue) {
            $queue->timedOut();
        });
    } else {
        // 8 and 9: with a job in hand and status 1, this is the alarm's handler, about to kill the process.
        $events->listen(Events\WorkerStopping::class, function ($event) use ($queue) {
            $event->status === 1 && $queue->timedOut();
        });
    }
}

/** Classes whose parents exist only once the application's autoloader does. */
function declareClasses(): void
{
    /** What the worker takes for the queue manager. */
    final class Manager implements Factory
    {
        private $real;

        private $queue;

        public function __construct($real, Queue $queue)
        {
            $this->real = $real;
            $this->queue = $queue;
        }

        public function connection($name = null)
        {
            return $this->queue->on($this->real->connection($name), $name);
        }

        public function __call($method, $arguments)
        {
            return $this->real->$method(...$arguments);
        }
    }

    /** Deletes and releases through the parent, at once. */
    final class Job extends \Illuminate\Queue\Jobs\RedisJob
    {
        public $token;

        /** How an earlier process ended with this job, which has no attempt left: it is failed instead of run. */
        public $crash;

        private $link;

        public function __construct(Link $link, int $token, $container, $redis, $raw, $reserved, $connection, $queue)
        {
            $this->link = $link;
            $this->token = $token;
            parent::__construct($container, $redis, $raw, $reserved, $connection, $queue);
        }

        public function fire()
        {
            if ($this->crash === null) {
                return parent::fire();
            }
            $this->fail($crashed = new JobCrashed($this->crash));
            throw $crashed;
        }

        /**
         * A crash is what it failed of, also where Laravel finds by itself that its attempts are over. A job that is
         * another worker's by now is left alone: no row, no event, no failed().
         */
        public function fail($e = null)
        {
            // What it released is another worker's to reserve, and its failure still counts.
            if (! $this->isDeletedOrReleased() && ! $this->link->holds($this->token)) {
                $this->markAsFailed();
                $this->deleted = true;

                return;
            }
            parent::fail($this->crash === null ? $e : new JobCrashed($this->crash));
        }

        public function delete()
        {
            \Illuminate\Queue\Jobs\Job::delete();
            if ($this->link->tell('deleted', ['token' => $this->token])) {
                $this->tellHorizon('JobDeleted');
            } else {
                $this->redis->deleteReserved($this->queue, $this);
            }
        }

        public function release($delay = 0)
        {
            \Illuminate\Queue\Jobs\Job::release($delay);
            $availableAt = function () use ($delay) {
                return $this->availableAt($delay);
            };
            $at = $availableAt->call($this->redis);
            if ($this->link->tell('released', ['token' => $this->token, 'at' => $at])) {
                $this->tellHorizon('JobReleased', $delay);
            } else {
                $this->redis->deleteAndRelease($this->queue, $this, $delay);
            }
        }

        /** What Horizon's own queue would have said, where this is one. */
        public function tellHorizon(string $what, $delay = 0): void
        {
            if (! $this->redis instanceof \Laravel\Horizon\RedisQueue) {
                return;
            }
            $class = 'Laravel\\Horizon\\Events\\'.$what;
            $event = $what === 'JobDeleted' ? new $class($this, $this->reserved) : new $class($this->reserved, $delay);
            $this->container['events']->dispatch($event->connection($this->connectionName)->queue($this->queue));
        }
    }

    /** For versions without a switch: the parent tells when to leave. */
    final class Worker extends \Illuminate\Queue\Worker
    {
        protected function getTimestampOfLastQueueRestart()
        {
            return null;
        }

        protected function queueShouldRestart($lastRestart)
        {
            return false;
        }
    }

    /** The process that ran the job ended, and the job has no attempt left. */
    final class JobCrashed extends \Illuminate\Queue\MaxAttemptsExceededException
    {
    }

    /** The end of what the command printed. */
    final class LastWords extends \Symfony\Component\Console\Output\Output
    {
        public $text = '';

        protected function doWrite($message, $newline): void
        {
            $this->text = substr($this->text.$message.($newline ? "\n" : ''), -8192);
        }
    }
}
