<?php
// Laravel's handler as it is: what it reports goes to the log channel, and that one is quiet.

namespace App\Exceptions;

class Handler extends \Illuminate\Foundation\Exceptions\Handler
{
}
