#!/bin/sh
# Two workers: one is complete, one asks a question.
set -eu
. "$(dirname "$0")/../repository.sh"
plan 'true'
in_worker task-1-users users.txt '[COMPLETE] users are listed'
in_worker task-2-orders orders.txt '[BLOCKED:no API key] which one is for the sandbox?'
