<?php
// Unique, and never done.

namespace App\Jobs;

class UniqueThrows extends Unique
{
    public function handle(): void
    {
        $this->ran();
        throw new \RuntimeException('unique');
    }
}
