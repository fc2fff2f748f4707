#!/bin/sh
# user.sh ROOT: adds the user that the worker runs as to ROOT's users: without a password, a shell, or files of its own.
set -eu
id=10001
echo "handover:x:$id:" >>"${1%/}/etc/group"
echo "handover:x:$id:$id:Handover:/nonexistent:/usr/sbin/nologin" >>"${1%/}/etc/passwd"
