#!/bin/sh
# Installs pinned pnpm and, through it, Node and every package, all inside this folder.
# Skipped without touching the network when nothing that decides the result has changed.
set -eu
cd "$(dirname "$0")/.."
stamp=.cache/installed
wanted=$(cat pnpm-lock.yaml pnpm-workspace.yaml .npmrc toolchain/package-lock.json package.json packages/*/package.json attestation/package.json host-proxy/package.json enclave-image/package.json examples/package.json test/package.json scripts/detector-data.ts scripts/gitleaks-rules.ts | cksum)
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && [ -d node_modules/.pnpm ] && [ -f packages/findings/src/data/secret-rules.ts ]; then exit 0; fi
command -v node >/dev/null || { echo "cmcp: Node 20 or newer is needed to start; install it and run make again" >&2; exit 1; }
command -v npm >/dev/null || { echo "cmcp: npm is needed to start; install it and run make again" >&2; exit 1; }
mkdir -p .cache
export npm_config_cache="$PWD/.cache/npm"
pnpm=toolchain/node_modules/pnpm/bin/pnpm.cjs
if [ ! -f "$pnpm" ]; then
  echo "setup: pnpm, pinned by integrity"
  npm ci --prefix toolchain --ignore-scripts --no-audit --no-fund --loglevel=error
fi
echo "setup: Node 24 and packages from the lockfile (about half a minute the first time)"
CI=true node "$pnpm" install --frozen-lockfile --ignore-scripts --reporter=append-only --loglevel=warn
"$(sh scripts/node-path.sh)" --disable-warning=ExperimentalWarning scripts/detector-data.ts
printf '%s' "$wanted" > "$stamp"
