<?php

namespace app;

/** What user code did, a line each, for a test to read. */
class Trace
{
    public static function add(string $line): void
    {
        file_put_contents(dirname(__DIR__).'/trace', "$line\n", FILE_APPEND | LOCK_EX);
    }
}
