<?php
// A stand-in, written for these tests, for the console of topthink/framework 8, in a file of its own: whoever reads the
// application's configuration puts another in its place. `autoload.php` tells when it is used.
//
// Counterparts: the classes of the same names.

namespace think {
    class Console
    {
        private $app;

        private $work;

        public function __construct(App $app)
        {
            $this->app = $app;
            // Made before anything runs, with its worker, as every command is.
            $this->work = $app->make(queue\command\Work::class);
        }

        public function run()
        {
            exit($this->doRun(new console\Input(), new console\Output()));
        }

        public function doRun(console\Input $input, console\Output $output)
        {
            switch ($input->words[0] ?? '') {
                case 'queue:work':
                    return $this->work->run($input, $output);
                case 'queue:restart':
                    $this->app->cache->set('think:queue:restart', time());
                    $output->writeln('Broadcasting queue restart signal.');

                    return 0;
            }
            throw new \InvalidArgumentException('There is no command '.($input->words[0] ?? ''));
        }
    }
}

namespace think\console {
    class Input
    {
        public $words = [];

        public $options = [];

        public function __construct()
        {
            foreach (array_slice($_SERVER['argv'], 1) as $word) {
                if (preg_match('/^--([a-z]+)(?:=(.*))?$/', $word, $option)) {
                    $this->options[$option[1]] = $option[2] ?? true;
                } else {
                    $this->words[] = $word;
                }
            }
        }
    }

    class Output
    {
        private $driver;

        public function __construct($driver = 'console')
        {
            $this->driver = $driver;
        }

        public function writeln(string $line): void
        {
            $this->driver === 'console' && print "$line\n";
        }
    }
}
