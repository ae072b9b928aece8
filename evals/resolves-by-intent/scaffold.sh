#!/bin/sh
# Both workers added their own line at the same place of a shared file, and the merge has stopped there.
set -eu
. "$(dirname "$0")/../repository.sh"
plan 'true'
in_worker task-1-users names.txt '[COMPLETE] users are named'
in_worker task-2-orders names.txt '[COMPLETE] orders are named'
pw-integrate run >/dev/null || test $? = 4
