#!/bin/sh
# install.sh ROOT PACKAGE...: installs Debian packages and leaves none of apt's own files behind. Only a ROOT of / can be
# installed into; with any other, apt is asked whether it would install them, and nothing changes.
set -eu
root=$1
shift
export DEBIAN_FRONTEND=noninteractive
if [ "$root" != / ]; then
    exec apt-get install --simulate -qq --no-install-recommends "$@"
fi
apt-get update -qq
apt-get install -qq --no-install-recommends "$@"
rm -rf /var/lib/apt/lists/*
