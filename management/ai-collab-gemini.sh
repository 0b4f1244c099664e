#!/bin/sh
# Gemini's router: the same as ai-collab.sh, for the agent gemini.
AI_COLLAB_AGENT=gemini exec "$(dirname -- "$0")/ai-collab.sh" "$@"
