#!/bin/sh
# Two agents talk on throw-away mailboxes; sets the checkout up first. Exit 0 only if every step was seen.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
"$root/management/setup.sh"
exec "$root/.venv/bin/ai-bridge" demo
