#!/bin/sh
# Installs each Python framework into a virtual environment of its own, and has every framework call a real gateway that refuses.
# A second run with the same locks installs nothing and needs no network.
set -eu
cd "$(dirname "$0")/../.."

for lock in test/frameworks/python/*.txt; do
  sh test/python/environment.sh frameworks "$lock" ".cache/frameworks/$(basename "$lock" .txt)"
done

exec "$(sh scripts/node-path.sh)" --disable-warning=ExperimentalWarning --test --test-concurrency=1 'test/frameworks/*.suite.ts'
