<?php
// A queued mail; the array mailer keeps it, building it is traced.

namespace App\Mail;

use App\Models\User;
use App\Trace;
use Illuminate\Bus\Queueable;
use Illuminate\Contracts\Queue\ShouldQueue;
use Illuminate\Mail\Mailable;
use Illuminate\Queue\SerializesModels;

class Welcome extends Mailable implements ShouldQueue
{
    use Queueable, SerializesModels;

    public function __construct(public User $user)
    {
    }

    public function build(): self
    {
        Trace::line("Welcome mail for {$this->user->name}");

        return $this->subject('Welcome')->html('<p>Hello</p>');
    }
}
