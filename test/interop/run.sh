#!/bin/sh
# Installs the public Python verifier and the TRACE conformance suite into this repository's own virtual
# environment, fetches the published examples, and compares what they make of our records with their own.
# A second run with the same versions installs nothing and needs no network.
set -eu
cd "$(dirname "$0")/../.."

lock=test/interop/python/requirements.txt
cache=.cache/interop
sh test/python/environment.sh interop "$lock" "$cache"
sh test/python/environment.sh interop test/interop/python/manifest.txt .cache/interop-manifest

# The examples are in the source distribution alone, which the lock pins beside the built package.
if [ ! -d "$cache/examples" ]; then
  sed -n '/^cmcp-runtime==/,/[^\\]$/p' "$lock" >"$cache/runtime.txt"
  "$cache/venv/bin/pip" download --disable-pip-version-check --quiet --no-deps --no-binary :all: --require-hashes \
    --dest "$cache/sdist" --requirement "$cache/runtime.txt"
  rm -rf "$cache/unpacked"
  mkdir "$cache/unpacked"
  tar -xzf "$cache"/sdist/cmcp_runtime-*.tar.gz -C "$cache/unpacked" --strip-components=1
  mv "$cache/unpacked/examples" "$cache/examples"
fi

exec "$(sh scripts/node-path.sh)" --disable-warning=ExperimentalWarning test/interop/interop.ts
