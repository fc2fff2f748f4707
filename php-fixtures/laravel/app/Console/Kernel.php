<?php
// The console kernel: Laravel's own commands, app:push and app:story.

namespace App\Console;

class Kernel extends \Illuminate\Foundation\Console\Kernel
{
    protected $commands = [Push::class, Story::class];
}
