#!/bin/sh
# Static security analysis of the product's sources with the rules of .semgrep, which are tested first.
# Semgrep is installed once, pinned, into a virtual environment of this folder; after that nothing needs a network.
set -eu
cd "$(dirname "$0")/.."

version=1.182.0
cache=.cache/semgrep
stamp=$cache/installed

if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$version" ]; then
  python=
  for candidate in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
    if "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then python=$candidate; break; fi
  done
  if [ -z "$python" ]; then
    echo "analyse: Python 3.10 or newer with the venv module is needed; found: $(python3 --version 2>&1 || echo none)" >&2
    exit 1
  fi
  rm -rf "$cache"
  mkdir -p "$cache"
  echo "analyse: semgrep $version into $cache (about half a minute the first time)"
  "$python" -m venv "$cache/venv"
  "$cache/venv/bin/pip" install --disable-pip-version-check --quiet "semgrep==$version"
  printf '%s' "$version" > "$stamp"
fi

PATH="$PWD/$cache/venv/bin:$PATH"
SEMGREP_SETTINGS_FILE="$PWD/$cache/settings.yml"
SEMGREP_LOG_FILE="$PWD/$cache/semgrep.log"
export PATH SEMGREP_SETTINGS_FILE SEMGREP_LOG_FILE

echo "analyse: the rules find what they are for"
# From inside: a folder whose name starts with a dot is not searched for rules' tests.
if ! tested=$(cd .semgrep && semgrep scan --test --metrics=off --disable-version-check --config . tests 2>&1); then
  printf '%s\n' "$tested" >&2
  exit 1
fi
printf '%s\n' "$tested" | grep -q 'All tests passed' || { printf '%s\n' "$tested" >&2; exit 1; }
for rule in .semgrep/*.yml; do
  examples=.semgrep/tests/$(basename "$rule" .yml).ts
  for kind in ruleid ok; do
    grep -q "// $kind: " "$examples" || { echo "analyse: $examples has no example marked $kind" >&2; exit 1; }
  done
done

echo "analyse: packages, attestation, host-proxy"
semgrep scan --metrics=off --disable-version-check --quiet --error --strict --config .semgrep --exclude '*.test.ts' --exclude test-support.ts --exclude testing \
  packages/*/src packages/cli/bin attestation/src host-proxy/src
echo "analyse: nothing found"
