#!/bin/sh
# Measures the detectors on named corpora. The one that is not of this repository comes from the Python package registry, pinned by hash; it is
# only read, never run or trained on. Without Python its rows are left out, and said so.
set -eu
cd "$(dirname "$0")/../.."
cache=.cache/detect
if [ ! -d "$cache/agentdojo" ]; then
  rm -rf "$cache"
  mkdir -p "$cache"
  python3 -m pip download --disable-pip-version-check --quiet --no-deps --only-binary :all: --require-hashes \
    --dest "$cache" --requirement scripts/detect/requirements.txt &&
    python3 -m zipfile -e "$cache"/agentdojo-*.whl "$cache" || echo "detect: agentdojo is left out, as pip cannot fetch it here" >&2
fi
exec "$(sh scripts/node-path.sh)" --disable-warning=ExperimentalWarning scripts/detect/main.ts
