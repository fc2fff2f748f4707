<?php
// An object that says itself how it is serialized.

namespace App\Values;

class Money
{
    public function __construct(private int $cents, private string $currency)
    {
    }

    public function __serialize(): array
    {
        return [$this->cents, 'currency' => $this->currency];
    }

    public function __unserialize(array $data): void
    {
        [$this->cents, $this->currency] = [$data[0], $data['currency']];
    }
}
