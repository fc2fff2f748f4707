<?php
// A stand-in, written for these tests, for the package topthink/think-queue 3.0.9: the command, the worker, its events and
// the job, as the facts about them say. `autoload.php` tells when it is used.
//
// Counterparts: the classes of the same names.

namespace think {
    class Queue
    {
        private $app;

        private $connections = [];

        public function __construct(App $app)
        {
            $this->app = $app;
        }

        public function connection($name = null)
        {
            return $this->connections[$name] ?? $this->connections[$name] = queue\connector\Redis::__make(
                $this->app->config->get("queue.connections.$name")
            );
        }
    }
}

namespace think\queue\command {
    use think\App;
    use think\queue\event;
    use think\queue\Worker;

    class Work
    {
        private $app;

        private $worker;

        public function __construct(App $app, Worker $worker)
        {
            $this->app = $app;
            $this->worker = $worker;
        }

        public function run($input, $output): int
        {
            $known = ['queue', 'once', 'delay', 'force', 'memory', 'timeout', 'sleep', 'tries'];
            if ($unknown = array_diff(array_keys($input->options), $known)) {
                throw new \InvalidArgumentException('There is no option --'.reset($unknown));
            }
            $options = $input->options + ['delay' => 0, 'sleep' => 3, 'tries' => 0, 'memory' => 128, 'timeout' => 60];
            $connection = $input->words[1] ?? $this->app->config->get('queue.default');
            $queue = $options['queue'] ?? 'default';
            foreach (['JobProcessing', 'JobProcessed', 'JobFailed'] as $event) {
                $this->app->event->listen("think\\queue\\event\\$event", function ($event) use ($output) {
                    $output->writeln(get_class($event).' '.$event->job->getName());
                });
            }
            $this->app->event->listen(event\JobFailed::class, function ($event) {
                $failer = $this->app->make($this->app->config->get('queue.failed.type'));
                $job = $event->job;
                $failer->log($event->connection, $job->getQueue(), $job->getRawBody(), $event->exception);
            });
            ['delay' => $delay, 'sleep' => $sleep, 'tries' => $tries] = $options;
            if (isset($options['once'])) {
                $this->worker->runNextJob($connection, $queue, $delay, $sleep, $tries);
            } else {
                $this->worker->daemon(
                    $connection, $queue, $delay, $sleep, $tries, $options['memory'], $options['timeout']
                );
            }

            return 0;
        }
    }
}

namespace think\queue\event {
    class JobProcessing
    {
        public $connection;

        public $job;

        public function __construct($connection, $job)
        {
            $this->connection = $connection;
            $this->job = $job;
        }
    }

    class JobProcessed extends JobProcessing
    {
    }

    class JobFailed extends JobProcessing
    {
        public $exception;

        public function __construct($connection, $job, $exception)
        {
            parent::__construct($connection, $job);
            $this->exception = $exception;
        }
    }

    class JobExceptionOccurred extends JobFailed
    {
    }

    class WorkerStopping
    {
        public $status;

        public function __construct($status = 0)
        {
            $this->status = $status;
        }
    }
}

namespace think\queue\exception {
    class MaxAttemptsExceededException extends \RuntimeException
    {
    }
}

namespace think\queue {
    use think\Cache;
    use think\Event as Events;
    use think\exception\Handle;
    use think\Queue;

    class Worker
    {
        protected $event;

        protected $handle;

        protected $queue;

        protected $cache;

        public $shouldQuit = false;

        public function __construct(Queue $queue, Events $event, Handle $handle, ?Cache $cache = null)
        {
            [$this->queue, $this->event, $this->handle, $this->cache] = [$queue, $event, $handle, $cache];
        }

        public function daemon($connection, $queue, $delay, $sleep, $tries, $memory, $timeout)
        {
            pcntl_async_signals(true);
            pcntl_signal(SIGTERM, function () {
                $this->shouldQuit = true;
            });
            pcntl_signal(SIGALRM, function () {
                $this->event->trigger(new event\WorkerStopping(1));
                posix_kill(getmypid(), SIGKILL);
            });
            $signal = $this->signal();
            while (true) {
                $job = $this->next($connection, $queue);
                // Set anew each time round, and never taken back after a job.
                pcntl_alarm((int) max($job && $job->timeout() !== null ? $job->timeout() : $timeout, 0));
                $job ? $this->work($connection, $job, $tries, $delay) : usleep((int) ($sleep * 1e6));
                $quit = $this->shouldQuit || $this->signal() != $signal;
                if ($quit || memory_get_usage(true) >= $memory * 1048576) {
                    $status = $quit ? 0 : 12;
                    $this->event->trigger(new event\WorkerStopping($status));
                    exit($status);
                }
            }
        }

        public function runNextJob($connection, $queue, $delay, $sleep, $tries)
        {
            $job = $this->next($connection, $queue);
            $job ? $this->work($connection, $job, $tries, $delay) : usleep((int) ($sleep * 1e6));
        }

        private function signal()
        {
            return $this->cache ? $this->cache->get('think:queue:restart') : null;
        }

        private function next($connection, $queues)
        {
            $source = $this->queue->connection($connection);
            foreach (explode(',', $queues) as $queue) {
                if (($job = $source->pop($queue)) !== null) {
                    return $job;
                }
            }
        }

        private function work($connection, $job, $tries, $delay): void
        {
            try {
                $this->attempt($connection, $job, (int) $tries, $delay);
            } catch (\Throwable $e) {
                $this->handle->report($e);
            }
        }

        private function attempt($connection, $job, int $tries, $delay): void
        {
            try {
                $this->event->trigger(new event\JobProcessing($connection, $job));
                [$until, $most] = [$job->timeoutAt(), $job->maxTries() ?? $tries];
                if ($until ? time() > $until : $most !== 0 && $job->attempts() > $most) {
                    $why = ' has been attempted too many times or run too long. The job may have previously timed out.';
                    $over = new exception\MaxAttemptsExceededException($job->getName().$why);
                    $this->fail($connection, $job, $over);
                    throw $over;
                }
                $job->fire();
                $this->event->trigger(new event\JobProcessed($connection, $job));
            } catch (\Throwable $e) {
                try {
                    $this->thrown($connection, $job, $tries, $e);
                } finally {
                    if (! $job->isDeletedOrReleased() && ! $job->hasFailed()) {
                        $job->release($delay);
                    }
                }
                throw $e;
            }
        }

        private function thrown($connection, $job, int $tries, \Throwable $e): void
        {
            if (! $job->hasFailed()) {
                $job->timeoutAt() && $job->timeoutAt() <= time() && $this->fail($connection, $job, $e);
                $most = $job->maxTries() ?? $tries;
                $most > 0 && $job->attempts() >= $most && $this->fail($connection, $job, $e);
            }
            $this->event->trigger(new event\JobExceptionOccurred($connection, $job, $e));
        }

        private function fail($connection, $job, \Throwable $e): void
        {
            $job->markAsFailed();
            if ($job->isDeleted()) {
                return;
            }
            try {
                $job->delete();
                $job->failed($e);
            } finally {
                $this->event->trigger(new event\JobFailed($connection, $job, $e));
            }
        }
    }

    trait InteractsWithTime
    {
        protected function availableAt($delay = 0)
        {
            if ($delay instanceof \DateInterval) {
                $delay = (new \DateTime())->add($delay);
            }

            return $delay instanceof \DateTimeInterface ? $delay->getTimestamp() : time() + (int) $delay;
        }
    }

    abstract class Job
    {
        protected $app;

        protected $queue;

        protected $connection;

        protected $deleted = false;

        protected $released = false;

        private $hasFailed = false;

        private $handler;

        abstract public function getRawBody();

        public function payload($name)
        {
            return json_decode($this->getRawBody(), true)[$name] ?? null;
        }

        public function fire()
        {
            $method = explode('@', $this->payload('job'))[1] ?? 'fire';
            $this->handler()->$method($this, $this->payload('data'));
        }

        public function failed($e)
        {
            $handler = $this->handler();
            method_exists($handler, 'failed') && $handler->failed($this->payload('data'), $e);
        }

        private function handler()
        {
            $class = explode('@', $this->payload('job'))[0];
            if (strpos($class, '\\') === false) {
                $class = 'app\\job\\'.str_replace(' ', '', ucwords(strtr($class, '-_', '  ')));
            }

            return $this->handler = $this->handler ?? $this->app->make($class, [$this->payload('data')], true);
        }

        public function delete()
        {
            $this->deleted = true;
        }

        public function release($delay = 0)
        {
            $this->released = true;
        }

        public function markAsFailed()
        {
            $this->hasFailed = true;
        }

        public function isDeleted()
        {
            return $this->deleted;
        }

        public function isDeletedOrReleased()
        {
            return $this->deleted || $this->released;
        }

        public function hasFailed()
        {
            return $this->hasFailed;
        }

        public function maxTries()
        {
            return $this->payload('maxTries');
        }

        public function timeout()
        {
            return $this->payload('timeout');
        }

        public function timeoutAt()
        {
            return $this->payload('timeoutAt');
        }

        public function getName()
        {
            return $this->payload('job');
        }

        public function getQueue()
        {
            return $this->queue;
        }
    }

    class CallQueuedHandler
    {
        public function call(Job $job, array $data)
        {
            unserialize($data['command'])->handle();
            $job->isDeletedOrReleased() || $job->delete();
        }

        public function failed(array $data)
        {
            $command = unserialize($data['command']);
            method_exists($command, 'failed') && $command->failed();
        }
    }
}

namespace think\queue\job {
    class Redis extends \think\queue\Job
    {
        protected $redis;

        protected $job;

        protected $reserved;

        public function __construct(
            \think\App $app, \think\queue\connector\Redis $redis, $job, $reserved, $connection, $queue
        ) {
            [$this->app, $this->redis, $this->job, $this->reserved] = [$app, $redis, $job, $reserved];
            [$this->connection, $this->queue] = [$connection, $queue];
        }

        public function attempts()
        {
            return $this->payload('attempts') + 1;
        }

        public function getRawBody()
        {
            return $this->job;
        }

        public function getReservedJob()
        {
            return $this->reserved;
        }

        public function getJobId()
        {
            return $this->payload('id');
        }

        public function delete()
        {
            parent::delete();
            $this->redis->settle($this->queue, $this->reserved);
        }

        public function release($delay = 0)
        {
            parent::release($delay);
            $this->redis->settle($this->queue, $this->reserved, $delay);
        }
    }
}

namespace think\queue\connector {
    /** What a job settles itself with where there is no parent. It has no pop(): that is Handover's. */
    class Redis
    {
        use \think\queue\InteractsWithTime;

        protected $redis;

        public function __construct($redis)
        {
            $this->redis = $redis;
        }

        public static function __make(array $config): self
        {
            $redis = new \Redis();
            $redis->connect($config['host'], $config['port']);

            return new self($redis);
        }

        public function settle($queue, $reserved, $delay = null): void
        {
            $this->redis->zRem("{queues:$queue}:reserved", $reserved);
            $delay === null || $this->redis->zAdd("{queues:$queue}:delayed", $this->availableAt($delay), $reserved);
        }
    }
}
