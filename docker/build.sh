#!/bin/sh
# build.sh ROOT: builds the binary from the sources in this directory into ROOT/bin. PROFILE is cargo's (release).
set -eu
cargo install --quiet --locked --path . --bin handover --profile "${PROFILE:-release}" --no-track --force --root "$1"
