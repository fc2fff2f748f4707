<?php
// Properties of every visibility and kind; `secret` is private here and again in the class below it.

namespace App\Jobs;

class Visibilities extends Job
{
    public int $number = 7;

    public ?string $absent = null;

    public string $unset;

    protected array $list = ['a', 'b' => ['c' => true]];

    private string $secret = 'parent';

    public function __construct(string $name = '', public readonly float $ratio = 0.5)
    {
        parent::__construct($name);
    }

    public function handle(): void
    {
        $this->ran($this->secret);
    }
}
