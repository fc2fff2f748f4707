<?php
// A job as applications write them: a model, a typed property, a protected and a private one.

namespace App\Jobs;

use App\Models\User;

class SendWelcomeEmail extends Job
{
    protected array $headers = ['X-Mailer' => 'fixture'];

    private ?string $replyTo = null;

    public function __construct(public User $user, public string $subject)
    {
        parent::__construct("user-{$user->id}");
    }

    public function handle(): void
    {
        $this->ran("to {$this->user->name}: {$this->subject}");
    }
}
