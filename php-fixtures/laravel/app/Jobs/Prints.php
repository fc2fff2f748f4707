<?php
// Prints so many bytes to the standard output, by the piece, and no line's end beyond the piece's own.

namespace App\Jobs;

class Prints extends Job
{
    public function __construct(string $name = '', public int $bytes = 1, public string $piece = 'x')
    {
        parent::__construct($name);
    }

    public function handle(): void
    {
        $piece = str_repeat($this->piece, max(1, intdiv(min($this->bytes, 65536), strlen($this->piece))));
        for ($printed = 0; $printed < $this->bytes; $printed += strlen($piece)) {
            fwrite(STDOUT, $piece);
        }
        $this->ran("printed $printed");
    }
}
