#!/bin/sh
# Both workers are complete.
set -eu
. "$(dirname "$0")/../repository.sh"
plan 'test -f users.txt'
in_worker task-1-users users.txt '[COMPLETE] users are listed'
in_worker task-2-orders orders.txt '[COMPLETE] orders are listed'
