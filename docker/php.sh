#!/bin/sh
# Sees to it that an image has what `handover --php` needs beside the app's own PHP: setpriv, by which PHP processes die
# with their worker, and the extension pcntl, by which they finish their job when told to leave. Builds pcntl in the
# official PHP images, which lack it; elsewhere it names what is missing and fails.
set -eu

pcntl() { php -r 'exit(extension_loaded("pcntl") ? 0 : 1);'; }
lacks() {
    echo "This image lacks $1." >&2
    exit 1
}

command -v php >/dev/null || lacks 'php (command line)'
command -v setpriv >/dev/null || lacks 'setpriv (util-linux)'
if ! pcntl && command -v docker-php-ext-install >/dev/null; then
    docker-php-ext-install pcntl
fi
pcntl || lacks 'the PHP extension pcntl'
