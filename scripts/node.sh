#!/bin/sh
# Runs the pinned Node with the arguments given; editors start it where a path to Node is asked for.
cd "$(dirname "$0")/.." || exit 1
exec "$(sh scripts/node-path.sh)" "$@"
