<?php
// What every runner begins with: how a child of the pool and its parent speak, and the pop() that asks for a job. Knows
// no framework; a runner follows it in the same script. Written for PHP 7.3 and later.
//
// Counterpart: `frame.rs` and `child.rs`.

namespace Handover;

const PROTOCOL = 1;
// Longest wait in one pop(), so that the worker's own checks, pauses and signals are looked at in between.
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

/** Where the framework's worker gets its jobs: pop() asks the parent. */
abstract class Source
{
    protected $link;

    /** The worker has come round, and has not asked for a job yet. */
    protected $turn = false;

    /** Waits for a job however long it takes: there will be one pop() only. */
    private $patient;

    private $asked = 0.0;

    private $worker;

    /** The job that the worker has in hand. */
    public $job;

    public function __construct(Link $link)
    {
        $this->link = $link;
        $this->patient = in_array('--once', $_SERVER['argv'], true);
    }

    /** What the application's cache holds since its workers were last told to restart. */
    abstract protected function restartSignal();

    /** The framework's own job, which settles itself through the parent. */
    abstract protected function job(array $head, string $raw, string $reserved);

    public function serve($worker): void
    {
        $this->worker = $worker;
    }

    /** The parent chooses among its queues, so whatever name comes first asks; the others have nothing by then. */
    public function pop($queue = null, $index = 0)
    {
        if (! $this->turn) {
            return null;
        }
        $this->turn = false;
        $this->job = null;
        $this->link->tell('ask', $this->news());
        while ($this->link->open && ! $this->link->wait(WAIT_SECONDS)) {
            if (! $this->patient) {
                // The worker must look around before it waits on; a job may be on its way already.
                $this->link->tell('withdraw');
                break;
            }
        }

        return $this->answer();
    }

    /** What the application's cache says about restarts, looked at once a second at most. */
    private function news(): array
    {
        if (microtime(true) - $this->asked < 1) {
            return [];
        }
        $this->asked = microtime(true);
        try {
            $restart = $this->restartSignal();
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

        return $this->job = $this->job($head, substr($body, 0, $head['raw']), (string) substr($body, $head['raw']));
    }

    /** A listener to events with a job and an exception, which tells the parent of the job in hand. */
    public function teller(string $say): \Closure
    {
        return function ($event) use ($say) {
            if ($this->job !== null && $event->job === $this->job) {
                $this->link->tell($say, [
                    'token' => $this->job->token,
                    'class' => get_class($event->exception),
                    'message' => mb_strcut($event->exception->getMessage(), 0, 8192),
                ]);
            }
        };
    }

    /** The alarm of the job in hand has gone off: the process is about to be killed. */
    public function timedOut(): void
    {
        $this->job !== null && $this->link->tell('timed_out', ['token' => $this->job->token]);
    }
}

/** Says hello; what the application sees from here on is the command line of its own entry, such as `artisan`. */
function begin(string $entry): Link
{
    $arguments = $_SERVER['argv'];
    $argv = array_merge([$entry], array_slice($arguments, 2));
    $GLOBALS['argv'] = $_SERVER['argv'] = $argv;
    $GLOBALS['argc'] = $_SERVER['argc'] = count($argv);
    $_SERVER['SCRIPT_NAME'] = $_SERVER['SCRIPT_FILENAME'] = $_SERVER['PHP_SELF'] = $entry;

    $link = new Link($arguments[1]);
    $link->tell('hello', ['protocol' => PROTOCOL, 'pid' => getmypid(), 'php' => PHP_VERSION]);

    return $link;
}
