<?php
// Its lock goes as soon as it starts.

namespace App\Jobs;

use Illuminate\Contracts\Queue\ShouldBeUniqueUntilProcessing;
use Illuminate\Support\Facades\Redis;

class UniqueUntilProcessing extends Unique implements ShouldBeUniqueUntilProcessing
{
    public function handle(): void
    {
        $this->ran(count(Redis::connection('default')->keys('*unique_job*')).' locks');
    }
}
