<?php
// The same as WaitsForGate under a name that no native handler takes.

namespace App\Jobs;

class WaitsInPhp extends WaitsForGate
{
}
