<?php
// A private property of the same name as its parent's.

namespace App\Jobs;

class InheritsVisibilities extends Visibilities
{
    private string $secret = 'child';
}
