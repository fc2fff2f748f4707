<?php
// Traces what reached it, as JSON: properties of every visibility and kind, and the limits its worker goes by.

namespace App\Jobs;

use App\Enums\Plan;
use App\Enums\Suit;
use App\Models\User;

class Shows extends Job
{
    public mixed $value = null;

    public ?User $user = null;

    public ?Suit $suit = null;

    public ?Plan $plan = null;

    public ?\DateTimeInterface $at = null;

    public $tries;

    public $timeout;

    public $backoff;

    protected array $list = [];

    private ?string $secret = null;

    public function handle(): void
    {
        $this->ran(json_encode([
            'value' => $this->value,
            'user' => $this->user?->name,
            'suit' => $this->suit?->name,
            'plan' => $this->plan?->value,
            'at' => $this->at?->format('c'),
            'list' => $this->list,
            'secret' => $this->secret,
            'queue' => [$this->job->getQueue(), $this->queue, $this->delay],
            'limits' => [
                $this->job->maxTries(), $this->job->maxExceptions(), $this->job->shouldFailOnTimeout(),
                $this->job->backoff(), $this->job->timeout(), $this->job->retryUntil(),
            ],
            'shown' => $this->job->resolveName(),
        ], JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES | JSON_THROW_ON_ERROR));
    }
}
