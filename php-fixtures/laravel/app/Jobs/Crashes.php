<?php
// Takes its own process with it at its first `times` attempts. `how`: kill (SIGKILL, as the kernel does when memory is
// short), segv, exit (code 3), memory (PHP's own limit), loop (until the job's time is up), deaf (the same with its alarm
// turned off). `first`: before that it settles itself by delete or release (for 30 seconds; the Unix times around the call
// are traced), or it waits for its gate as WaitsForGate does.

namespace App\Jobs;

class Crashes extends Job
{
    public string $how = 'kill';

    public string $first = '';

    public function __construct(string $name = '', public int $times = 1, string $how = 'kill', string $first = '')
    {
        parent::__construct($name);
        $this->how = $how;
        $this->first = $first;
    }

    public function handle(): void
    {
        $this->ran();
        if ($this->attempts() <= $this->times) {
            $this->settle();
            $this->crash();
        }
    }

    private function settle(): void
    {
        $before = time();
        while ($this->first === 'wait' && ! file_exists(storage_path("gates/{$this->name}"))) {
            usleep(5_000);
            clearstatcache();
        }
        match ($this->first) {
            'delete' => $this->delete(),
            'release' => $this->release(30),
            '', 'wait' => null,
        };
        $this->first === 'release' && $this->ran("released $before ".time());
    }

    private function crash(): void
    {
        switch ($this->how) {
            case 'kill':
                posix_kill(getmypid(), SIGKILL);
            case 'segv':
                posix_kill(getmypid(), SIGSEGV);
            case 'exit':
                exit(3);
            case 'memory':
                ini_set('memory_limit', '64M');
                str_repeat('x', 128 << 20);
            case 'deaf':
                pcntl_alarm(0);
            case 'loop':
                while (true);
        }
    }
}
