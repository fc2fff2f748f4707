<?php

namespace app;

/** The application's own store of failed jobs, which nobody but itself can write: a JSON object a line. */
class Failer
{
    public function log($connection, $queue, $payload, $exception)
    {
        $exception = get_class($exception).': '.$exception->getMessage();
        $row = json_encode(compact('connection', 'queue', 'payload', 'exception'));
        file_put_contents(dirname(__DIR__).'/failed_jobs', "$row\n", FILE_APPEND | LOCK_EX);
    }
}
