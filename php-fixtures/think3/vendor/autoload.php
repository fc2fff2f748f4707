<?php
// A stand-in, written for these tests, for the package topthink/framework 8 and, in `think-queue.php`, for
// topthink/think-queue 3.0.9: of their classes it has those that a child of the pool touches (the application and its
// console, events, cache, the worker and its job), and behaves as the facts about them say. There is no Composer and no
// ThinkPHP where these tests run by themselves; the runner was run by hand on the real packages, framework 8.0.4 and 6.1.4.
// Where THINK_APP names a real application, the tests run on its packages instead of this file, and its own worker is held
// to the same outcomes.
//
// Counterparts: the classes of the same names.

namespace think\exception {
    class ClassNotFoundException extends \RuntimeException
    {
    }

    class Handle
    {
        public function report(\Throwable $e): void
        {
            $line = date('c').' '.get_class($e).': '.$e->getMessage()."\n";
            file_put_contents(getcwd().'/reported', $line, FILE_APPEND | LOCK_EX);
        }
    }
}

namespace think {
    use think\exception\ClassNotFoundException;

    class Config extends \ArrayObject
    {
        public function get($name)
        {
            return $this[$name] ?? null;
        }
    }

    class Container
    {
        private static $instance;

        public static function getInstance()
        {
            return self::$instance;
        }

        public static function setInstance($instance)
        {
            self::$instance = $instance;
        }
    }

    class App
    {
        const VERSION = '8.0.4';

        public $config;

        private $shared = [];

        private static $names = ['event' => Event::class, 'cache' => Cache::class, 'console' => Console::class];

        public function __construct()
        {
            $this->shared[self::class] = $this;
            Container::setInstance($this);
            $this->config = new Config();
            foreach (glob(getcwd().'/config/*.php') as $file) {
                $this->config[basename($file, '.php')] = require $file;
            }
        }

        public function __get($name)
        {
            return $this->make(self::$names[$name]);
        }

        public function initialized()
        {
            return true;
        }

        public function getNamespace()
        {
            return 'app';
        }

        public function getRuntimePath()
        {
            return getcwd().'/runtime/';
        }

        /** The one object of a class, or a new one: its constructor is given what it asks for. */
        public function make(string $class, array $given = [], bool $new = false)
        {
            if (isset($this->shared[$class]) && ! $new) {
                return $this->shared[$class];
            }
            if (! class_exists($class)) {
                throw new ClassNotFoundException("class not exists: $class");
            }
            $wanted = [];
            $constructor = (new \ReflectionClass($class))->getConstructor();
            foreach ($constructor ? $constructor->getParameters() : [] as $parameter) {
                $type = $parameter->getType();
                $isClass = $type instanceof \ReflectionNamedType && ! $type->isBuiltin();
                $wanted[] = $isClass ? $this->make($type->getName()) : array_shift($given);
            }
            $object = new $class(...$wanted);

            return $new ? $object : $this->shared[$class] = $object;
        }
    }

    class Event
    {
        private $listeners = [];

        public function __construct()
        {
            foreach ((require getcwd().'/app/event.php')['listen'] as $event => $listeners) {
                $this->listeners[$event] = $listeners;
            }
        }

        public function listen(string $event, $listener, bool $first = false)
        {
            $others = $this->listeners[$event] ?? [];
            $this->listeners[$event] = $first ? array_merge([$listener], $others) : array_merge($others, [$listener]);

            return $this;
        }

        /** False keeps those that come after from hearing. */
        public function trigger($event)
        {
            foreach ($this->listeners[get_class($event)] ?? [] as $listener) {
                if ($listener($event) === false) {
                    return;
                }
            }
        }
    }

    class Cache
    {
        public function get($key, $default = null)
        {
            $file = $this->file($key);

            return is_file($file) ? unserialize(file_get_contents($file)) : $default;
        }

        public function set($key, $value): bool
        {
            is_dir(dirname($this->file($key))) || mkdir(dirname($this->file($key)), 0777, true);

            return (bool) file_put_contents($this->file($key), serialize($value), LOCK_EX);
        }

        private function file(string $key): string
        {
            return getcwd().'/runtime/cache/'.md5($key);
        }
    }

    // As a class that is loaded when it is first asked for: whoever brings another keeps it.
    if (! class_exists(Console::class, false)) {
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

namespace {
    require_once __DIR__.'/think-queue.php';

    spl_autoload_register(function ($class) {
        $file = getcwd().'/'.str_replace('\\', '/', $class).'.php';
        strncmp($class, 'app\\', 4) === 0 && is_file($file) && require $file;
    });
}
