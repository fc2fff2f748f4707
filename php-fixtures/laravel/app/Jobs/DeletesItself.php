<?php
// Deletes itself, then throws: a deleted job is neither released nor failed.

namespace App\Jobs;

class DeletesItself extends Job
{
    public function __construct(string $name = '', public bool $thenThrows = false)
    {
        parent::__construct($name);
    }

    public function handle(): void
    {
        $this->ran();
        $this->delete();
        if ($this->thenThrows) {
            throw new \RuntimeException('after delete');
        }
    }
}
