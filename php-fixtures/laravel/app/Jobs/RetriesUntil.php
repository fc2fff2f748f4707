<?php
// Throws always; may be tried again until a moment, whatever the count. The moment is a Unix time.

namespace App\Jobs;

class RetriesUntil extends Job
{
    public function __construct(string $name = '', public int $moment = 0)
    {
        parent::__construct($name);
    }

    public function retryUntil(): \DateTimeInterface
    {
        return (new \DateTime)->setTimestamp($this->moment);
    }

    public function handle(): void
    {
        $this->ran();
        throw new \RuntimeException('not yet');
    }
}
