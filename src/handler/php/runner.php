<?php
// A child of the pool: the application's own `queue:work`, booted once, in which pop() alone is Handover's. It asks its
// parent for jobs over a private socket and tells it what became of them; everything else (middleware, batches, chains,
// failed(), failed_jobs, timeouts) is Laravel's. Never reads or writes the queue's keys while the parent lives.
//
// Arguments: the socket, then queue:work and its own. Run in the application's directory. Written for PHP 7.3 and later.
// Counterpart: `artisan`, and `Illuminate\Queue\RedisQueue::pop`.

namespace Handover;

use Illuminate\Contracts\Queue\Factory;
use Illuminate\Queue\Events;

const PROTOCOL = 1;
const RESTART = 'illuminate:queue:restart';
// Longest wait in one pop(), so that Looping, maintenance, pauses and signals are looked at in between.
const WAIT_SECONDS = 1;

// PHP defines these only for a script that it reads from a file.
defined('STDIN') || define('STDIN', fopen('php://stdin', 'r'));
defined('STDOUT') || define('STDOUT', fopen('php://stdout', 'w'));
defined('STDERR') || define('STDERR', fopen('php://stderr', 'w'));

/** Frames over the socket: lengths of head and body (32 bits each, big endian), a JSON head, a raw body. */
final class Link
{
    private $stream;

    private $buffer = '';

    public $open = true;

    public function __construct(string $path)
    {
        $this->stream = @stream_socket_client("unix://$path", $code, $why, 30);
        if (! $this->stream) {
            fwrite(STDERR, "cannot reach the parent: $why\n");
            exit(1);
        }
    }

    /** One write a frame, so that one sent from a signal handler never lands within another. */
    public function tell(string $say, array $more = []): bool
    {
        $head = json_encode(['say' => $say] + $more, JSON_INVALID_UTF8_SUBSTITUTE | JSON_UNESCAPED_SLASHES);
        $frame = pack('NN', strlen($head), 0).$head;

        try {
            return $this->open = $this->open && @fwrite($this->stream, $frame) === strlen($frame);
        } catch (\Throwable $e) { // an error handler that knows no @

            return $this->open = false;
        }
    }

    /** Whether the parent still holds the job that this process has; where there is no parent, nobody denies it. */
    public function holds(int $token): bool
    {
        if (! $this->tell('confirm', ['token' => $token])) {
            return true;
        }
        $head = $this->head();

        return $head === null || ($head['held'] ?? true);
    }

    /** True once something has arrived; false after so many seconds, or as soon as a signal came. */
    public function wait(float $seconds): bool
    {
        return $this->buffer !== '' || $this->readable($seconds);
    }

    private function readable(float $seconds): bool
    {
        $read = [$this->stream];
        $none = null;

        try {
            return (bool) @stream_select($read, $none, $none, (int) $seconds, (int) (fmod($seconds, 1) * 1e6));
        } catch (\Throwable $e) {
            return false;
        }
    }

    /** The next head, and its body's length; null where the parent is gone. */
    public function head(): ?array
    {
        if (($lengths = $this->take(8)) === null) {
            return null;
        }
        [$head, $body] = array_values(unpack('N2', $lengths));
        $json = $this->take($head);

        return $json === null ? null : ['body' => $body] + json_decode($json, true);
    }

    /** So many bytes, however they are cut up on their way. */
    public function take(int $length): ?string
    {
        while (strlen($this->buffer) < $length) {
            while (! $this->readable(WAIT_SECONDS));
            try {
                $piece = @stream_socket_recvfrom($this->stream, 262144);
            } catch (\Throwable $e) {
                $piece = false;
            }
            if ($piece === '' || $piece === false) {
                $this->open = false;

                return null;
            }
            $this->buffer .= $piece;
        }
        $taken = substr($this->buffer, 0, $length);
        $this->buffer = (string) substr($this->buffer, $length);

        return $taken;
    }
}

/** What the worker takes for the connection: pop() asks the parent, all else is the application's real queue. */
final class Queue
{
    private $link;

    private $app;

    private $worker;

    private $real;

    private $connection;

    private $asked = 0.0;

    /** The worker has come round, and has not asked for a job yet. */
    private $turn = false;

    /** The job that the worker has in hand. */
    public $job;

    public function __construct(Link $link, $app)
    {
        $this->link = $link;
        $this->app = $app;
    }

    public function serve($worker): void
    {
        $this->worker = $worker;
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

    /** The parent chooses among its queues, so whatever name comes first asks; the others have nothing by then. */
    public function pop($queue = null, $index = 0)
    {
        if (! $this->turn) {
            return null;
        }
        $this->turn = false;
        $this->job = null;
        $once = $this->app['handover.once'];
        $this->link->tell('ask', $this->news());
        while ($this->link->open && ! $this->link->wait(WAIT_SECONDS)) {
            if (! $once) {
                // The worker must look around before it waits on; a job may be on its way already.
                $this->link->tell('withdraw');
                break;
            }
        }

        return $this->answer();
    }

    /** What the application's cache says about restarts and pauses, looked at once a second at most. */
    private function news(): array
    {
        if (microtime(true) - $this->asked < 1) {
            return [];
        }
        $this->asked = microtime(true);
        try {
            $restart = $this->app['cache.store']->get(RESTART);
        } catch (\Throwable $e) {
            return [];
        }

        return ['restart' => $restart === null ? '' : (string) json_encode($restart)];
    }

    private function answer()
    {
        $head = $this->link->open ? $this->link->head() : null;
        switch ($head['say'] ?? 'gone') {
            case 'job':
                return $this->started($head);
            case 'nothing':
                return null;
            default: // told to quit, or the parent is gone
                $this->worker->shouldQuit = true;

                return null;
        }
    }

    /** Acknowledged before the body is read: a body that kills this process counts as an attempt. */
    private function started(array $head)
    {
        $this->link->tell('started', ['token' => $head['token']]);
        $body = $this->link->take($head['body']);
        if ($body === null) {
            $this->worker->shouldQuit = true;

            return null;
        }
        [$raw, $reserved] = [substr($body, 0, $head['raw']), (string) substr($body, $head['raw'])];
        $job = new Job(
            $this->link, $head['token'], $this->app, $this->real, $raw, $reserved, $this->connection, $head['queue']
        );
        $job->tellHorizon('JobReserved');
        $job->crash = $head['fail'] ?? null;

        return $this->job = $job;
    }
}

(function () use ($argv) {
    [, $socket] = $argv;
    $argv = array_merge(['artisan'], array_slice($argv, 2));
    // What the application sees is artisan's command line.
    $GLOBALS['argv'] = $_SERVER['argv'] = $argv;
    $GLOBALS['argc'] = $_SERVER['argc'] = count($argv);
    $_SERVER['SCRIPT_NAME'] = $_SERVER['SCRIPT_FILENAME'] = $_SERVER['PHP_SELF'] = 'artisan';
    define('LARAVEL_START', microtime(true));

    $link = new Link($socket);
    $link->tell('hello', ['protocol' => PROTOCOL, 'pid' => getmypid(), 'php' => PHP_VERSION]);

    is_file('vendor/autoload.php') && require getcwd().'/vendor/autoload.php';
    $app = require getcwd().'/bootstrap/app.php';
    declareClasses();

    $queue = new Queue($link, $app);
    $app->instance('handover.once', in_array('--once', $argv, true));
    $app->extend('queue.worker', function ($worker, $app) use ($queue, $link) {
        $worker = withoutRestartCheck($worker, $link);
        $worker->setManager(new Manager($app['queue'], $queue));
        $queue->serve($worker);
        tellEvents($app['events'], $queue, $link);

        return $worker;
    });

    $kernel = $app->make(\Illuminate\Contracts\Console\Kernel::class);
    $input = new \Symfony\Component\Console\Input\ArgvInput($argv);
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
function tellEvents($events, Queue $queue, Link $link): void
{
    $tell = function (string $say) use ($queue, $link) {
        return function ($event) use ($say, $queue, $link) {
            if ($queue->job !== null && $event->job === $queue->job) {
                $link->tell($say, [
                    'token' => $queue->job->token,
                    'class' => get_class($event->exception),
                    'message' => mb_strcut($event->exception->getMessage(), 0, 8192),
                ]);
            }
        };
    };
    $events->listen(Events\JobFailed::class, $tell('failed'));
    $events->listen(Events\JobExceptionOccurred::class, $tell('threw'));
    $timedOut = function () use ($queue, $link) {
        $queue->job !== null && $link->tell('timed_out', ['token' => $queue->job->token]);
    };
    if (class_exists(Events\JobTimedOut::class)) {
        $events->listen(Events\JobTimedOut::class, $timedOut);
    } else {
        // 8 and 9: with a job in hand and status 1, this is the alarm's handler, about to kill the process.
        $events->listen(Events\WorkerStopping::class, function ($event) use ($timedOut) {
            $event->status === 1 && $timedOut();
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
            if (! $this->isDeleted() && ! $this->link->holds($this->token)) {
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
