<?php
// record.php <application>     pushes every case below with the real Laravel, pops it once with the real queue, and
// prints what Redis held before and after, a JSON line each. Started by the script `record` beside it, which gives it an
// application and a Redis of its own. Never makes up a byte: where the pop loses a job, there is no reserved_b64.

use App\Enums\Plan;
use App\Enums\Suit;
use App\Jobs as Job;
use App\Models\User;
use App\Values\Money;
use App\Values\Node;
use Illuminate\Contracts\Queue\Queue;
use Illuminate\Queue\CallQueuedClosure;
use Illuminate\Support\Facades\Bus;

chdir($argv[1]);
$app = require 'bootstrap/app.php';
$app->make(Illuminate\Contracts\Console\Kernel::class)->bootstrap();

/** The queue the cases push to. */
function queue(): Queue
{
    return app('queue')->connection('redis');
}

function with(object $job, array $properties): object
{
    foreach ($properties as $name => $value) {
        $job->$name = $value;
    }

    return $job;
}

function referring(): array
{
    [$twice, $loop, $list] = [new Node('twice'), new Node('loop'), [1, 2]];
    $loop->next = $loop;

    return ['same' => [$twice, $twice], 'loop' => $loop, 'a' => &$list, 'b' => &$list];
}

function raw(string $payload, string $queue = null): void
{
    queue()->pushRaw($payload, $queue);
}

$greeting = 'hello';
$closure = function () use ($greeting) {
    App\Trace::line($greeting);
};

$cases = [
    'object' => ['scalars and a nested array', fn () => dispatch(new Job\Succeed('a', 1, 'x', [1, ['k' => []]]))],
    'no-arguments' => ['defaults only', fn () => dispatch(new Job\Succeed)],
    'unicode' => ['accents, emoji, line separators', fn () => dispatch(new Job\Carries('ünïcødé', "日本 🚀 \u{2028}"))],
    'escapes' => ['quotes, slashes, controls', fn () => dispatch(new Job\Carries('e', "\"\\/ \t\r\n\x01\x7f </p>&'"))],
    'nul-bytes' => ['NUL within a string', fn () => dispatch(new Job\Carries('n', "a\0b\0"))],
    'binary' => ['not UTF-8: the push throws', fn () => dispatch(new Job\Carries('b', "\xff\xfe"))],
    'lookalike' => ['a string that looks serialized', fn () => dispatch(new Job\Carries('l', 'O:1:"A":0:{}{"a":1}'))],
    'floats' => ['edges of double', fn () => dispatch(new Job\Carries('f', [1.0, -0.0, 0.1, 1e100, 5e-324, NAN, INF, -INF, M_PI]))],
    'integers' => ['edges of int', fn () => dispatch(new Job\Carries('i', [0, -1, PHP_INT_MAX, PHP_INT_MIN, true, false, null]))],
    'arrays' => ['mixed keys, holes, depth', fn () => dispatch(new Job\Carries('a', [5 => 'a', 'k' => [[]], -3 => [[[['x']]]], '' => 0]))],
    'references' => ['an object twice, a loop, array references', fn () => dispatch(new Job\Carries('r', referring()))],
    'enums' => ['pure and backed', fn () => dispatch(new Job\Carries('e', [Suit::Spades, Plan::Paid, Suit::Spades]))],
    'custom-serialize' => ['__serialize', fn () => dispatch(new Job\Carries('m', new Money(1999, 'EUR')))],
    'collection' => ['a support collection', fn () => dispatch(new Job\Carries('c', collect(['a' => 1, 'b' => [2]])))],
    'dates' => ['immutable, Carbon', fn () => dispatch(new Job\Carries('d', [new DateTimeImmutable('2026-01-02 03:04:05.678 +02:00'), Illuminate\Support\Carbon::parse('2026-01-02')]))],
    'spl' => ['ArrayObject, SplObjectStorage', fn () => dispatch(new Job\Carries('s', [new ArrayObject([1]), new SplObjectStorage]))],
    'visibilities' => ['public, protected, private, readonly, uninitialised', fn () => dispatch(new Job\Visibilities('v', 0.25))],
    'inherited-private' => ['a private property twice', fn () => dispatch(new Job\InheritsVisibilities('v'))],
    'model' => ['SerializesModels', fn () => dispatch(new Job\SendWelcomeEmail(User::find(1), 'Hi "Ada"'))],
    'model-collection' => ['several models', fn () => dispatch(new Job\Carries('users', User::all()))],
    'limits' => ['tries, backoff list, timeout, maxExceptions, failOnTimeout', fn () => dispatch(with(new Job\Succeed('l'), [
        'tries' => 5, 'backoff' => [1, 5, 10], 'timeout' => 30, 'maxExceptions' => 2, 'failOnTimeout' => true,
    ]))],
    'retry-until' => ['a moment by method, an int backoff', fn () => dispatch(with(new Job\RetriesUntil('r', 1999999999), ['backoff' => 3]))],
    'delay' => ['45 s', fn () => dispatch((new Job\Succeed('d'))->delay(45))],
    'delay-date' => ['a date', fn () => dispatch((new Job\Succeed('d'))->delay(now()->addMinutes(2)))],
    'delay-zero' => ['0 s is delayed all the same', fn () => queue()->later(0, new Job\Succeed('now'))],
    'other-queue' => ['a queue of its own', fn () => dispatch(new Job\OnOtherQueue('o'))],
    'odd-queue' => ['colon, space, braces, accent', fn () => dispatch((new Job\Succeed('q'))->onQueue('a:b {c} é'))],
    'closure' => ['a captured variable', fn () => dispatch(CallQueuedClosure::create($closure))],
    'chain' => ['three jobs on another queue', fn () => Bus::chain([new Job\Succeed('1'), new Job\Succeed('2'), new Job\Succeed('3')])->onQueue('chained')->dispatch()],
    'batch' => ['two jobs', fn () => Bus::batch([new Job\Succeed('1'), new Job\Succeed('2')])->name('pair')->dispatch()],
    'bulk' => ['three at once', fn () => queue()->bulk([new Job\Succeed('1'), new Job\Succeed('2'), 'App\Legacy@fire'])],
    'encrypted' => ['ShouldBeEncrypted', fn () => dispatch(new Job\Encrypted('e', 'secret'))],
    'string-job' => ['data is an array', fn () => queue()->push('App\Legacy@fire', ['a' => [], 'b' => [1, 2.5], 'c' => new stdClass])],
    'string-job-bare' => ['no method, no data', fn () => queue()->push('App\Legacy')],
    'numbers' => ['top-level fields beyond fourteen digits', fn () => raw('{"job":"App\\\\Legacy@fire","data":{"big":9007199254740993,"time":1795217004.123456,"e":1e3,"z":-0,"list":[]},"id":"n","attempts":0}')],
    'attempts-text' => ['attempts is a numeric string', fn () => raw('{"uuid":"u","job":"App\\\\Legacy@fire","data":[],"id":"t","attempts":"1"}')],
    'keys-twice' => ['the last attempts counts', fn () => raw('{"attempts":7,"job":"App\\\\Legacy@fire","data":"","id":"k","attempts":0}')],
    'spaces' => ['blanks between everything', fn () => raw("{ \"job\" : \"App\\\\\\\\Legacy@fire\" ,\n \"data\" : { } , \"attempts\" : 0 }")],
    'lost-no-attempts' => ['lost by the stock pop', fn () => raw('{"job":"App\\\\Legacy@fire","data":[],"id":"x"}')],
    'lost-not-json' => ['lost by the stock pop', fn () => raw('not json')],
    'lost-number' => ['lost by the stock pop', fn () => raw('42')],
    'lost-attempts-null' => ['lost by the stock pop', fn () => raw('{"job":"App\\\\Legacy@fire","attempts":null}')],
    'lost-surrogate' => ['half a surrogate pair: lost by the stock pop', fn () => raw('{"job":"\ud800","attempts":0}')],
];

/** Everything the queues hold: [key, type, index, bytes, score]. */
function held(\Redis $redis, string $suffix): array
{
    $found = [];
    foreach ($redis->keys('*queues:*') as $key) {
        if (str_ends_with($key, ':notify') || str_ends_with($key, ':reserved') !== ($suffix === ':reserved')) {
            continue;
        }
        $list = $redis->type($key) === \Redis::REDIS_LIST;
        $members = $list ? $redis->lRange($key, 0, -1) : $redis->zRange($key, 0, -1, true);
        foreach ($list ? $members : array_keys($members) as $i => $bytes) {
            $found[] = [$key, $list ? 'list' : 'zset', $i, (string) $bytes, $list ? null : $members[$bytes]];
        }
    }

    return $found;
}

/** A plain connection, so that keys are whole. */
$redis = new \Redis;
$redis->connect(env('REDIS_HOST'), 0);
$prefix = config('database.redis.options.prefix');

foreach ($cases as $case => [$note, $push]) {
    $redis->flushAll();
    $line = ['system' => 'laravel', 'version' => app()->version(), 'case' => $case, 'note' => $note];
    try {
        $pushed = microtime(true);
        $push();
    } catch (Throwable $e) {
        echo json_encode($line + ['redis_type' => null, 'push_error' => get_class($e).': '.$e->getMessage()]), "\n";
        continue;
    }
    foreach (held($redis, '') as [$key, $type, $i, $bytes, $score]) {
        $record = $line + ['redis_type' => $type, 'key' => $key, 'i' => $i];
        if ($type === 'zset') {
            $record += ['score' => $score, 'score_minus_push_time' => round($score - $pushed, 2)];
            $redis->zAdd($key, 1, $bytes);
        }
        $record['payload_b64'] = base64_encode($bytes);
        $popped = microtime(true);
        $redis->del("$key:reserved");
        queue()->pop(preg_replace('/:delayed$/', '', substr($key, strlen($prefix.'queues:'))));
        foreach (held($redis, ':reserved') as [$reserved, , , $member, $expires]) {
            $record['reserved_key'] = $reserved;
            $record['reserved_b64'] = base64_encode($member);
            $record['reserved_score_minus_pop_time'] = round($expires - $popped, 2);
            $redis->del($reserved);
        }
        echo json_encode($record, JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES), "\n";
    }
}
