<?php
// Does to itself what it is told, in order: delete, release:N, release-interval, release-date, fail, throw, say.

namespace App\Jobs;

class Settles extends Job
{
    public function __construct(string $name = '', public array $steps = [])
    {
        parent::__construct($name);
    }

    public function handle(): void
    {
        $this->ran();
        foreach ($this->steps as $step) {
            [$what, $how] = explode(':', $step) + [1 => null];
            match ($what) {
                'delete' => $this->delete(),
                'release' => $this->release((int) $how),
                'release-interval' => $this->release(new \DateInterval("PT{$how}S")),
                'release-date' => $this->release(now()->addSeconds((int) $how)),
                'fail' => $this->fail(new \LogicException($how ?? 'no')),
                'throw' => throw new \RuntimeException($how ?? 'thrown'),
                'say' => $this->say(),
            };
        }
    }

    private function say(): void
    {
        echo "said\n", 'and no newline';
        var_dump([1, 'two']);
        fwrite(STDERR, "on stderr\n");
    }
}
