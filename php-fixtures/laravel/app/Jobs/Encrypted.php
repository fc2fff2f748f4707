<?php
// Its command is encrypted in the payload.

namespace App\Jobs;

use Illuminate\Contracts\Queue\ShouldBeEncrypted;

class Encrypted extends Job implements ShouldBeEncrypted
{
    public function __construct(string $name = '', public string $secret = '')
    {
        parent::__construct($name);
    }

    public function handle(): void
    {
        $this->ran($this->secret);
    }
}
