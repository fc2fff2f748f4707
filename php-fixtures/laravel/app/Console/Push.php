<?php
// app:push reads a JSON list from stdin (or its argument) and pushes what it names through Laravel's own dispatcher:
//
//   job      class below App\Jobs ("Succeed") or "App\Legacy@fire"
//   args     constructor arguments, a list or by name; {"$model": "User", "id": 1} stands for a model;
//            "%i" within a string becomes the number of the copy
//   data     data of a string job
//   with     properties set on the job: tries, backoff, timeout, maxExceptions, failOnTimeout, retryUntil, ...
//   queue, delay, count     delay in seconds; count copies
//   chain    jobs to follow, in the same form
//   batch    instead of job: the jobs of a batch; allow_failures, name; then, finally: texts to trace at its end
//   closure  instead of job: a closure that traces this text
//   payload, drop   keys to set in, or to take from, the finished payload
//   raw, raw_base64 instead of job: these bytes, as they are
//
// Prints the number pushed. Never runs a job.

namespace App\Console;

use App\Trace;
use Illuminate\Console\Command;
use Illuminate\Contracts\Queue\Queue;
use Illuminate\Support\Facades\Bus;

class Push extends Command
{
    protected $signature = 'app:push {spec? : JSON; read from stdin when absent}';

    protected $description = 'Push jobs named by a JSON list';

    public function handle(Queue $queue): int
    {
        $specs = json_decode($this->argument('spec') ?? stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR);
        $pushed = 0;
        foreach (array_is_list($specs) ? $specs : [$specs] as $spec) {
            for ($i = 0; $i < ($spec['count'] ?? 1); $i++, $pushed++) {
                $this->push($queue, $spec, $i);
            }
        }
        $this->line((string) $pushed);

        return 0;
    }

    private function push(Queue $queue, array $spec, int $i): void
    {
        if (isset($spec['raw']) || isset($spec['raw_base64'])) {
            $this->raw($queue, $spec['raw'] ?? base64_decode($spec['raw_base64']), $spec);
        } elseif (isset($spec['batch'])) {
            $batch = Bus::batch($this->jobs($spec['batch'], $i))->name($spec['name'] ?? '');
            isset($spec['queue']) && $batch->onQueue($spec['queue']);
            foreach (array_intersect_key($spec, ['then' => 1, 'finally' => 1]) as $end => $text) {
                $batch->$end(static function () use ($text) {
                    Trace::line($text);
                });
            }
            $batch->allowFailures($spec['allow_failures'] ?? false)->dispatch();
        } elseif (isset($spec['payload']) || isset($spec['drop'])) {
            $this->raw($queue, $this->altered($queue, $spec, $i), $spec);
        } elseif (str_contains($spec['job'] ?? '', '@')) {
            isset($spec['delay'])
                ? $queue->later($spec['delay'], $spec['job'], $spec['data'] ?? '', $spec['queue'] ?? null)
                : $queue->push($spec['job'], $spec['data'] ?? '', $spec['queue'] ?? null);
        } else {
            dispatch($this->job($spec, $i));
        }
    }

    private function job(array $spec, int $i): object
    {
        if (isset($spec['closure'])) {
            $text = $spec['closure'];
            $job = \Illuminate\Queue\CallQueuedClosure::create(function () use ($text) {
                Trace::line($text);
            });
        } else {
            $class = 'App\\Jobs\\'.$spec['job'];
            $job = new $class(...$this->values($spec['args'] ?? [], $i));
        }
        foreach ($spec['with'] ?? [] as $property => $value) {
            $job->$property = $value;
        }
        isset($spec['queue']) && $job->onQueue($spec['queue']);
        isset($spec['delay']) && $job->delay($spec['delay']);
        isset($spec['chain']) && $job->chain($this->jobs($spec['chain'], $i));

        return $job;
    }

    private function jobs(array $specs, int $i): array
    {
        return array_map(fn ($spec) => $this->job($spec, $i), $specs);
    }

    private function values(array $args, int $i): array
    {
        return array_map(fn ($arg) => match (true) {
            is_string($arg) => str_replace('%i', (string) $i, $arg),
            is_array($arg) && isset($arg['$model']) => ('App\\Models\\'.$arg['$model'])::findOrFail($arg['id']),
            is_array($arg) => $this->values($arg, $i),
            default => $arg,
        }, $args);
    }

    /** The payload the queue would push, with keys set and dropped. */
    private function altered(Queue $queue, array $spec, int $i): string
    {
        $job = str_contains($spec['job'], '@') ? $spec['job'] : $this->job($spec, $i);
        $create = fn () => $this->createPayload($job, $this->getQueue($spec['queue'] ?? null), $spec['data'] ?? '');
        $payload = array_merge(json_decode($create->call($queue), true), $spec['payload'] ?? []);

        return json_encode(array_diff_key($payload, array_flip($spec['drop'] ?? [])), JSON_UNESCAPED_UNICODE);
    }

    private function raw(Queue $queue, string $payload, array $spec): void
    {
        $name = $spec['queue'] ?? null;
        isset($spec['delay'])
            ? (fn () => $this->laterRaw($spec['delay'], $payload, $name))->call($queue)
            : $queue->pushRaw($payload, $name);
    }
}
