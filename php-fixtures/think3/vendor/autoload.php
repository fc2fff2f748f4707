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

    class Container
    {
        protected static $instance;

        public static function getInstance()
        {
            return self::$instance;
        }
    }

    class Config
    {
        private $files = [];

        public function __construct()
        {
            foreach (glob(getcwd().'/config/*.php') as $file) {
                $this->files[basename($file, '.php')] = require $file;
            }
        }

        /** The names of a file and of what is in it, with dots between them. */
        public function get(string $name)
        {
            $found = $this->files;
            foreach (explode('.', $name) as $part) {
                $found = $found[$part] ?? null;
            }

            return $found;
        }
    }

    class App extends Container
    {
        const VERSION = '8.0.4';

        private $shared = [];

        private static $names = [
            'config' => Config::class,
            'event' => Event::class,
            'cache' => Cache::class,
            'console' => Console::class,
        ];

        public function __construct()
        {
            self::$instance = $this->shared[self::class] = $this;
        }

        public function initialized(): bool
        {
            return true;
        }

        public function getNamespace(): string
        {
            return 'app';
        }

        public function getRuntimePath(): string
        {
            return getcwd().'/runtime/';
        }

        public function __get($name)
        {
            return $this->make(self::$names[$name]);
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
}

namespace {
    require_once __DIR__.'/think-queue.php';

    spl_autoload_register(function ($class) {
        if (stripos($class, 'think\\console') === 0) {
            require_once __DIR__.'/console.php';
        }
        $file = getcwd().'/'.str_replace('\\', '/', $class).'.php';
        strncmp($class, 'app\\', 4) === 0 && is_file($file) && require $file;
    });
}
