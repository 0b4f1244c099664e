#!/bin/sh
# Sets the checkout up and runs every test; other words go to pytest.
# usage: management/test.sh [--faults] [pytest words]   (--faults: the long kill runs, some minutes)
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
"$root/management/setup.sh" test
cd "$root"
chosen="not faults"
if [ "${1:-}" = "--faults" ]; then
    chosen="faults"
    shift
else
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/mypy
fi
exec .venv/bin/python -m pytest -m "$chosen" "$@"
