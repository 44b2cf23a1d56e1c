#!/bin/sh
# Asks the package registry for advisories on what is shipped.
# Exit codes: 0 none of high severity, 1 advisories, 75 the endpoint could not be asked: that is no pass.
set -u
cd "$(dirname "$0")/.."
pnpm=${CMCP_AUDIT_COMMAND:-"node toolchain/node_modules/pnpm/bin/pnpm.cjs"}

# The command is words, not one name.
# shellcheck disable=SC2086
said=$($pnpm audit --prod --audit-level=high 2>&1)
code=$?
printf '%s\n' "$said"
if [ "$code" -eq 0 ]; then
  # A success that names no result has not looked.
  if printf '%s\n' "$said" | grep -Eq 'No known vulnerabilities found|vulnerabilities found'; then exit 0; fi
elif printf '%s\n' "$said" | grep -Eq '[0-9]+ vulnerabilities found'; then
  exit 1
fi
echo "audit: NOT DONE. Tried: pnpm audit --prod --audit-level=high (exit $code); the answer above is not a list of advisories" >&2
exit 75
