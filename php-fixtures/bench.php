<?php
// The stop-watch of scripts/bench, at the socket given first: prepare KIND N copies a pushed job, warm PID... waits until
// all processes have worked, work KIND PID... lets them work the copies and prints seconds and bytes, pickup N prints
// milliseconds, due N prints the seconds for N delayed jobs that are due at once and Redis' slowest calls meanwhile, table
// prints what it all comes to. Starts and stops nothing.

[, $socket, $verb] = $argv;
$rest = array_slice($argv, 3);
$redis = new Redis;
$redis->connect($socket);
const PREFIX = 'bench_database_queues:';
const READY = PREFIX.'default';

/** The same job with an id of its own. */
function copied(string $payload): string
{
    $job = json_decode($payload, true);

    return json_encode(['uuid' => bin2hex(random_bytes(16)), 'id' => bin2hex(random_bytes(16))] + $job);
}

function idle(Redis $redis): bool
{
    [$ready, $delayed, $reserved] = $redis->multi()->lLen(READY)->zCard(READY.':delayed')->zCard(READY.':reserved')->exec();

    return $ready + $delayed + $reserved === 0;
}

function until(callable $done): void
{
    $end = microtime(true) + 300;
    while (! $done()) {
        usleep(500);
        microtime(true) < $end || exit("waited in vain\n");
    }
}

/** A process, all that it has started, and so on. */
function family(array $pids): array
{
    $all = $pids;
    foreach ($pids as $pid) {
        $children = array_filter(explode(' ', implode(' ', array_map('file_get_contents', glob("/proc/$pid/task/*/children")))));
        $all = array_merge($all, family($children));
    }

    return $all;
}

function pss(array $pids): int
{
    $sum = 0;
    foreach (family($pids) as $pid) {
        preg_match('/^Pss:\s+(\d+)/m', @file_get_contents("/proc/$pid/smaps_rollup") ?: '', $found) && $sum += $found[1] * 1024;
    }

    return $sum;
}

function median(array $numbers): float
{
    sort($numbers);

    return $numbers[intdiv(count($numbers), 2)];
}

switch ($verb) {
    case 'prepare':
        [$kind, $count] = $rest;
        $template = $redis->lPop(PREFIX.$kind);
        $redis->del(PREFIX.$kind.':notify');
        $redis->set("template:$kind", $template);
        $redis->set("count:$kind", $count);
        break;
    case 'warm':
        // More jobs than processes, a few times over: each has booted and worked by then.
        $template = $redis->get('template:slow');
        for ($i = 0; $i < 3; $i++) {
            foreach (range(1, 40) as $_) {
                $redis->multi()->rPush(READY, copied($template))->rPush(READY.':notify', 1)->exec();
            }
            until(fn () => idle($redis));
        }
        usleep(200000);
        break;
    case 'work':
        $kind = array_shift($rest);
        $template = $redis->get("template:$kind");
        $count = (int) $redis->get("count:$kind");
        foreach (range(1, $count) as $_) {
            $jobs[] = copied($template);
        }
        foreach (array_chunk($jobs, 1000) as $chunk) {
            $redis->rPush('prepared', ...$chunk);
            $redis->rPush('prepared:notify', ...array_fill(0, count($chunk), 1));
        }
        $began = microtime(true);
        $redis->multi()->rename('prepared', READY)->rename('prepared:notify', READY.':notify')->exec();
        until(fn () => idle($redis));
        printf("%.6f %d %d", microtime(true) - $began, pss($rest), $count);
        $redis->del(READY.':notify');
        break;
    case 'pickup':
        $template = $redis->get('template:noop');
        $took = [];
        for ($i = 0; $i < (int) $rest[0]; $i++) {
            usleep(random_int(300000, 900000));
            $began = microtime(true);
            $redis->multi()->rPush(READY, copied($template))->rPush(READY.':notify', 1)->exec();
            until(fn () => idle($redis));
            $took[] = (microtime(true) - $began) * 1000;
        }
        sort($took);
        printf('%.1f %.1f', median($took), end($took));
        break;
    case 'due':
        // All due in the same second; written under another name, so that they appear at once.
        $template = $redis->get('template:noop');
        foreach (array_chunk(range(1, (int) $rest[0]), 1000) as $chunk) {
            $redis->zAdd('prepared:delayed', ...array_merge(...array_map(fn () => [time(), copied($template)], $chunk)));
        }
        $redis->config('SET', 'slowlog-max-len', '1000');
        $redis->config('SET', 'slowlog-log-slower-than', '1000');
        $redis->rawCommand('SLOWLOG', 'RESET');
        $began = microtime(true);
        $redis->rename('prepared:delayed', READY.':delayed');
        until(fn () => idle($redis));
        $took = microtime(true) - $began;
        $slow = array_map(fn ($entry) => $entry[2] / 1000, $redis->rawCommand('SLOWLOG', 'GET', '1000'));
        printf('%d %.1f %.1f %d', $rest[0], $took, max([0, ...$slow]), count(array_filter($slow, fn ($ms) => $ms >= 20)));
        $redis->del(READY.':notify');
        break;
    case 'table':
        $names = ['stock-1' => 'queue:work, 1 process', 'pool-1' => 'handover --php=1', 'stock-4' => 'queue:work, 4 processes',
            'pool-4' => 'handover --php=4', 'rust' => 'handover, handler in Rust'];
        foreach (file($rest[0], FILE_IGNORE_NEW_LINES) as $line) {
            [$who, $kind, $seconds, $bytes, $count] = explode(' ', $line);
            $rates[$kind][$who][] = $count / $seconds;
            $memory[$who][] = $bytes / 1048576;
        }
        foreach (['noop' => 'jobs that do nothing', 'slow' => 'jobs of 5 ms'] as $kind => $title) {
            printf("%-28s%10s%22s%12s%10s%10s\n", $title, 'jobs/s', 'slowest..fastest', 'to 1 x', 'to n x', 'MB');
            $one = median($rates[$kind]['stock-1']);
            foreach ($names as $who => $name) {
                $rate = median($rates[$kind][$who]);
                $peer = $who === 'rust' ? '' : sprintf('%.2f', $rate / median($rates[$kind]['stock-'.substr($who, -1)]));
                $span = sprintf('%.0f..%.0f', min($rates[$kind][$who]), max($rates[$kind][$who]));
                printf("%-28s%10.0f%22s%12.2f%10s%10.0f\n", $name, $rate, $span, $rate / $one, $peer, median($memory[$who]));
            }
            echo "\n";
        }
        printf("%-28s%10s%22s\n", 'pick-up by an idle worker', 'ms', 'slowest');
        foreach (file($rest[1], FILE_IGNORE_NEW_LINES) as $line) {
            [$who, $middle, $slowest] = explode(' ', $line);
            printf("%-28s%10s%22s\n", $names[$who], $middle, $slowest);
        }
        printf("\n%-28s%10s%22s%22s\n", 'delayed jobs due at once', 's', 'slowest call, ms', 'calls of 20 ms');
        foreach (file($rest[2], FILE_IGNORE_NEW_LINES) as $line) {
            [$who, $count, $seconds, $slowest, $calls] = explode(' ', $line);
            printf("%-28s%10s%22s%22s\n", "$names[$who]: $count", $seconds, $slowest, $calls);
        }
}
