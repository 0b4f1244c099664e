#!/bin/sh
# Sets the checkout up and runs the tests. All other words go to pytest.
# usage: management/test.sh [--sweeps|--package|--faults|--cuts|--clients|--clients-table|--machines|--machines-full] [pytest words]
#   --sweeps         a fault at every single call that changes or looks at the disk: a minute or two
#   --package        wheel and sdist, and the wheel in an empty environment: a minute
#   --faults         the long runs that kill processes: some minutes
#   --clients        the real clients, installed first: some minutes; --clients --latest tries their newest releases
#   --clients-table  the same, and writes what was seen into docs/clients.md
#   --cuts           power cuts of a guest, whose software is installed first if root runs this: some minutes
#   --machines       hosts with a bad network between them, as root; their software is installed first: some minutes
#   --machines-full  the same with 1,000 messages each way: half an hour
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
"$root/management/setup.sh" test
cd "$root"
# One more than there are processors: most tests wait now and then for processes of their own.
workers=$(($(getconf _NPROCESSORS_ONLN) + 1))
case "${1:-}" in
    --sweeps)
        chosen="sweeps and not faults"
        shift
        set -- -n "$workers" --dist worksteal "$@"
        ;;
    --package)
        chosen="package"
        shift
        ;;
    --faults)
        chosen="faults"
        shift
        ;;
    --cuts)
        chosen="cuts"
        shift
        .venv/bin/python -m tests.networks.software cuts || :
        set -- -s "$@"
        ;;
    --clients | --clients-table)
        chosen="clients"
        [ "$1" = --clients ] || export CLIENTS_TABLE=1
        shift
        if [ "${1:-}" = --latest ]; then
            export AI_BRIDGE_CLIENTS_LATEST=1
            shift
            .venv/bin/python -m tests.real_clients.software --latest
        else
            .venv/bin/python -m tests.real_clients.software >/dev/null
        fi
        ;;
    --machines | --machines-full)
        chosen="machines"
        [ "$1" = --machines ] || export MACHINES_FULL=1
        shift
        .venv/bin/python -m tests.networks.software || :
        set -- -s "$@"
        ;;
    *)
        chosen="not sweeps and not package and not faults and not cuts and not clients and not machines"
        .venv/bin/ruff check .
        .venv/bin/ruff format --check .
        .venv/bin/mypy
        .venv/bin/lint-imports
        set -- -n "$workers" --dist worksteal "$@"
        ;;
esac
exec .venv/bin/python -m pytest -m "$chosen" "$@"
