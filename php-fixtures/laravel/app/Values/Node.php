<?php
// An object that can point to another, or to itself.

namespace App\Values;

class Node
{
    public ?Node $next = null;

    public function __construct(public string $label)
    {
    }
}
