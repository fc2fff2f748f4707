<?php
// app:story NAME pushes what takes code rather than a list: closures, catch and then, listeners, mails, notifications.
// Never runs a job.

namespace App\Console;

use App\Jobs;
use App\Models\User;
use App\Trace;
use Illuminate\Console\Command;
use Illuminate\Notifications\AnonymousNotifiable;
use Illuminate\Support\Facades\Bus;
use Illuminate\Support\Facades\Cache;
use Illuminate\Support\Facades\Mail;
use Illuminate\Support\Facades\Notification;

class Story extends Command
{
    protected $signature = 'app:story {name}';

    protected $description = 'Push the jobs of a story';

    public function handle(): int
    {
        $this->{$this->argument('name')}();

        return 0;
    }

    private function chain(array $jobs): void
    {
        Bus::chain($jobs)->catch(function (\Throwable $e) {
            Trace::line('caught '.get_class($e).': '.$e->getMessage());
        })->dispatch();
    }

    private function chainOfThree(): void
    {
        $this->chain([new Jobs\Succeed('1'), (new Jobs\Succeed('2'))->onQueue('other'), new Jobs\Succeed('3')]);
    }

    private function chainThatFails(): void
    {
        $this->chain([new Jobs\Succeed('1'), new Jobs\ThrowsAlways('2', 'broken'), new Jobs\Succeed('3')]);
    }

    private function chainWithAClosure(): void
    {
        $this->chain([
            new Jobs\Succeed('1'),
            function () {
                Trace::line('a closure in a chain');
            },
            new Jobs\ReleasesItself('3', 30, 1),
        ]);
    }

    private function batch(array $jobs): \Illuminate\Bus\PendingBatch
    {
        return Bus::batch($jobs)->name('story')->then(static function ($batch) {
            Trace::line("then {$batch->pendingJobs} pending, {$batch->failedJobs} failed");
        })->catch(static function ($batch, $e) {
            Trace::line("catch {$e->getMessage()}");
        })->finally(static function ($batch) {
            Trace::line("finally {$batch->pendingJobs} pending, {$batch->failedJobs} failed");
        });
    }

    private function batchThatSucceeds(): void
    {
        $this->batch([new Jobs\Succeed('1'), new Jobs\Succeed('2'), new Jobs\Succeed('3')])->dispatch();
    }

    private function batchThatFails(): void
    {
        $this->batch([new Jobs\Succeed('1'), new Jobs\ThrowsAlways('2', 'broken'), new Jobs\Succeed('3')])->dispatch();
    }

    private function batchThatAllowsFailures(): void
    {
        $jobs = [new Jobs\ThrowsAlways('1', 'broken'), new Jobs\FailsItself('2', 'given up'), new Jobs\Succeed('3')];
        $this->batch($jobs)->allowFailures()->dispatch();
    }

    private function uniqueJobs(): void
    {
        Jobs\Unique::dispatch('a');
        Jobs\Unique::dispatch('a');
        Jobs\Unique::dispatch('b');
        Jobs\UniqueUntilProcessing::dispatch('c');
    }

    private function uniqueThatThrows(): void
    {
        $job = new Jobs\UniqueThrows('a');
        $job->tries = 2;
        $job->backoff = 30;
        dispatch($job);
    }

    private function overlapping(): void
    {
        Cache::lock('laravel-queue-overlap:'.Jobs\Guarded::class.':held', 600)->get();
        Cache::lock('laravel-queue-overlap:'.Jobs\Guarded::class.':dropped', 600)->get();
        foreach ([['held', 'overlap'], ['mine', 'free'], ['dropped', 'dropped']] as $arguments) {
            $job = new Jobs\Guarded(...$arguments);
            $job->tries = 5;
            dispatch($job);
        }
    }

    private function shipped(): void
    {
        event(new \App\Events\OrderShipped('good'));
        event(new \App\Events\OrderShipped('bad'));
    }

    private function mail(): void
    {
        Mail::to('ada@example.org')->queue(new \App\Mail\Welcome(User::find(1)));
        Mail::to('grace@example.org')->later(60, (new \App\Mail\Welcome(User::find(2)))->onQueue('mails'));
    }

    private function notification(): void
    {
        Notification::send([User::find(1), new AnonymousNotifiable], new \App\Notifications\Paid(42));
    }

    private function closures(): void
    {
        dispatch(function () {
            Trace::line('a closure');
        });
        dispatch(function () {
            throw new \RuntimeException('from a closure');
        })->catch(function (\Throwable $e) {
            Trace::line("caught {$e->getMessage()}");
        });
    }

    private function missingModels(): void
    {
        $users = [User::create(['name' => 'gone']), User::create(['name' => 'gone too'])];
        dispatch(new Jobs\SendWelcomeEmail($users[0], 'lost'));
        $job = new Jobs\SendWelcomeEmail($users[1], 'let go');
        $job->deleteWhenMissingModels = true;
        dispatch($job);
        User::where('name', 'like', 'gone%')->delete();
    }

    private function bigPayload(): void
    {
        dispatch(new Jobs\Encrypted('big', str_repeat('x', 5)));
        dispatch(new Jobs\Carries('big', str_repeat('x', 5 << 20)));
    }
}
