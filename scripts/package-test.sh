#!/bin/sh
# Runs the tests of the package in whose folder it is started, as `npm test` does; with --watch again after each change.
# usage: package-test.sh [--watch] [GLOB, seen from that folder]
set -eu
root=$(cd "$(dirname "$0")/.." && pwd -P)
folder=$(pwd -P)
folder=.${folder#"$root"}
cd "$root"
watch=
if [ "${1:-}" = --watch ]; then
  watch=--watch
  shift
fi
exec "$(sh scripts/node-path.sh)" node_modules/tsx/dist/cli.mjs --disable-warning=ExperimentalWarning --test --test-concurrency=2 $watch "$folder/${1:-src/**/*.test.ts}"
