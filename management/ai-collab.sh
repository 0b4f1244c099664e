#!/bin/sh
# Claude's router: management/ai-collab.sh start|stop|restart|status|health|logs [options of ai-collab].
# The first call sets the checkout up.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
agent=${AI_COLLAB_AGENT:-claude}
"$root/management/setup.sh"
: "${AI_BRIDGE_MAILBOXES:=$root/mailboxes}"
export AI_BRIDGE_MAILBOXES
case ${1:-} in
    start | stop | restart | logs) exec "$root/.venv/bin/ai-collab" "$@" --agent "$agent" ;;
    '') exec "$root/.venv/bin/ai-collab" --help ;;
    *) exec "$root/.venv/bin/ai-collab" "$@" ;;
esac
