#!/bin/sh
# Resolves every *.in of the Python suites into the lock of the same name, with the hash of each file, for Python 3.11 and newer.
# Versions that a lock already has stay; ARGS=--upgrade takes newer ones.
set -eu
cd "$(dirname "$0")/../.."
sh test/python/environment.sh python-lock test/python/uv.txt .cache/uv
for input in test/python/*.in test/*/python/*.in; do
  .cache/uv/venv/bin/uv pip compile --no-config --quiet --universal --generate-hashes --python-version 3.11 --no-annotate \
    --custom-compile-command "make python-lock" "$@" --output-file "${input%.in}.txt" "$input"
  echo "python-lock: ${input%.in}.txt"
done
