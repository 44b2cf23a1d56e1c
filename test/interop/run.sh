#!/bin/sh
# Installs the public Python verifier and the TRACE conformance suite into this repository's own virtual
# environment, fetches the published examples, and compares what they make of our records with their own.
# A second run with the same versions installs nothing and needs no network.
set -eu
cd "$(dirname "$0")/../.."

runtime=0.7.1
suite=0.6.2
cache=.cache/interop
stamp=$cache/installed
wanted="cmcp-runtime==$runtime agentrust-trace-tests==$suite"

if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
  python=
  for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$candidate; break; fi
  done
  if [ -z "$python" ]; then
    echo "interop: Python 3.11 or newer with the venv module is needed; found: $(python3 --version 2>&1 || echo none)" >&2
    echo "interop: install it (Debian and Ubuntu: python3.11 python3.11-venv) and run make interop again" >&2
    exit 1
  fi
  rm -rf "$cache"
  mkdir -p "$cache"
  echo "interop: $wanted into $cache (about a minute the first time)"
  "$python" -m venv "$cache/venv"
  "$cache/venv/bin/pip" install --disable-pip-version-check --quiet "cmcp-runtime==$runtime" "agentrust-trace-tests==$suite"
  "$cache/venv/bin/pip" download --disable-pip-version-check --quiet --no-deps --no-binary :all: --dest "$cache/sdist" "cmcp-runtime==$runtime"
  tar -xzf "$cache/sdist/cmcp_runtime-$runtime.tar.gz" -C "$cache" --strip-components=1 "cmcp_runtime-$runtime/examples"
  printf '%s' "$wanted" > "$stamp"
fi

exec "$(sh scripts/node-path.sh)" --disable-warning=ExperimentalWarning test/interop/interop.ts
