#!/bin/sh
# Sets this checkout up: a .venv with the package in it, and the mailboxes. Does nothing if everything is in place.
# usage: management/setup.sh [EXTRA]    (EXTRA "test" adds what the tests need)
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
extra=${1:-}
stamp="$root/.venv/.set-up${extra:+-$extra}"

say() { printf 'setup: %s\n' "$1" >&2; }
fail() { printf 'error: %s\n' "$1" >&2; exit 1; }

find_python() {
    for candidate in "${PYTHON:-}" python3.14 python3.13 python3.12 python3.11 python3 python; do
        [ -n "$candidate" ] || continue
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        printf '%s\n' "$candidate"
        return
    done
    fail "Python 3.11 or newer was not found: install it, or name it with PYTHON=/path/to/python"
}

quietly() {
    "$@" >"$root/.venv/set-up.log" 2>&1 || { cat "$root/.venv/set-up.log" >&2; fail "setting up failed: see above"; }
}

if [ ! -e "$stamp" ] || [ "$root/pyproject.toml" -nt "$stamp" ]; then
    unset PYTHONDONTWRITEBYTECODE
    python=$(find_python)
    if [ ! -x "$root/.venv/bin/python" ]; then
        say "making .venv with $($python --version)"
        "$python" -m venv "$root/.venv" || fail "$python -m venv failed: install its venv module"
    fi
    say "installing ai-bridge${extra:+ [$extra]} and what it needs (about a minute the first time)"
    # An older pip writes command wrappers that import `re`: the start of `send` then takes half as long again.
    quietly "$root/.venv/bin/python" -m pip install --disable-pip-version-check --upgrade 'pip>=25.2'
    quietly "$root/.venv/bin/python" -m pip install --disable-pip-version-check -e "$root${extra:+[$extra]}"
    quietly "$root/.venv/bin/python" -m compileall -q "$root/ai_bridge"
    quietly "$root/.venv/bin/ai-bridge" init --mailboxes "$root/mailboxes"
    : >"$stamp"
    say "ready"
fi
