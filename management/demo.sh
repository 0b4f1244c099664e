#!/bin/sh
# Sets the checkout up, and lets two agents talk on throw-away mailboxes. Exits with 0 only if every step was seen.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
"$root/management/setup.sh"
exec "$root/.venv/bin/ai-bridge" demo
