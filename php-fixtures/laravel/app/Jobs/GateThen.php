<?php
// Runs until the test opens the gate of this very attempt (the file storage/gates/<name>-<attempt>), then does what it
// was told: complete, throw, release (for ten minutes) or fail.

namespace App\Jobs;

class GateThen extends Job
{
    public function __construct(string $name = '', public string $then = 'complete')
    {
        parent::__construct($name);
    }

    public function handle(): void
    {
        $this->ran('waits');
        while (! file_exists(storage_path("gates/{$this->name}-{$this->attempts()}"))) {
            usleep(5_000);
            clearstatcache();
        }
        $this->ran('passes');
        match ($this->then) {
            'complete' => null,
            'throw' => throw new \RuntimeException("{$this->name} thrown"),
            'release' => $this->release(600),
            'fail' => $this->fail(new \LogicException("{$this->name} failed")),
        };
    }
}
