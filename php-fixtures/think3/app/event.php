<?php
// The application hears of its jobs where a test has put a file `events` beside `think`.

$hear = function (string $called) {
    return function ($event) use ($called) {
        \app\Trace::add(isset($event->job) ? "$called ".$event->job->getJobId() : "$called {$event->status}");

        // Keeps whoever listens after it from hearing.
        return is_file(dirname(__DIR__).'/deaf') ? false : null;
    };
};
$events = ['JobProcessing', 'JobProcessed', 'JobExceptionOccurred', 'WorkerStopping'];
$listen = [];
foreach (is_file(dirname(__DIR__).'/events') ? $events : [] as $event) {
    $listen["think\\queue\\event\\$event"] = [$hear($event)];
}

return ['listen' => $listen];
