<?php
// failed_jobs.php create|rows|sql [statement]     run in an application's directory: makes its table of failed jobs with
// Laravel's own migration (without a uuid under the driver `database`), or prints its rows as JSON, or runs a statement
// on its connection. Text that is not UTF-8 is printed as {"base64": ...}. Never decides what a row should be.

use Illuminate\Database\Schema\Blueprint;

require 'bootstrap/app.php';
app()->make(Illuminate\Contracts\Console\Kernel::class)->bootstrap();
[$database, $table] = [config('queue.failed.database'), config('queue.failed.table')];
$connection = app('db')->connection($database);

switch ($argv[1]) {
    case 'create':
        $connection->getSchemaBuilder()->create($table, function (Blueprint $table) {
            $table->id();
            if (config('queue.failed.driver') !== 'database') {
                $table->string('uuid')->unique();
            }
            $table->text('connection');
            $table->text('queue');
            $table->longText('payload');
            $table->longText('exception');
            $table->timestamp('failed_at')->useCurrent();
        });
        exit;
    case 'rows':
        $rows = $connection->table($table)->orderBy('id')->get()->map(fn ($row) => (array) $row)->all();
        break;
    case 'sql':
        $rows = stripos($argv[2], 'select') === 0 ? array_map(fn ($row) => (array) $row, $connection->select($argv[2])) : $connection->statement($argv[2]);
}
is_array($rows) && array_walk_recursive($rows, function (&$value) {
    if (is_string($value) && ! mb_check_encoding($value, 'UTF-8')) {
        $value = ['base64' => base64_encode($value)];
    }
});
echo json_encode($rows, JSON_THROW_ON_ERROR | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);
