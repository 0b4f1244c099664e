#!/bin/sh
# Sets the checkout up and runs every test; other words go to pytest.
# usage: management/test.sh [--faults|--clients] [pytest words]
#   --faults: the long kill runs, some minutes; --clients: the real clients, which it installs first, some minutes
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
"$root/management/setup.sh" test
cd "$root"
case "${1:-}" in
    --faults)
        chosen="faults"
        shift
        ;;
    --clients)
        chosen="clients"
        shift
        .venv/bin/python -m tests.clients.software >/dev/null
        ;;
    *)
        chosen="not faults and not clients"
        .venv/bin/ruff check .
        .venv/bin/ruff format --check .
        .venv/bin/mypy
        ;;
esac
exec .venv/bin/python -m pytest -m "$chosen" "$@"
