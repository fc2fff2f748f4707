<?php
// What user code did, one line a happening, in storage/trace.log: the order and the count of everything a worker ran.
// Appends whole lines, so several workers can write at once. Never writes to Redis.

namespace App;

class Trace
{
    public static function line(string $line): void
    {
        file_put_contents(env('TRACE_FILE') ?: storage_path('trace.log'), $line."\n", FILE_APPEND | LOCK_EX);
    }
}
