<?php
// The console kernel: Laravel's own commands and app:push.

namespace App\Console;

class Kernel extends \Illuminate\Foundation\Console\Kernel
{
    protected $commands = [Push::class];
}
