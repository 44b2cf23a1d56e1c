#!/bin/sh
# Compiles the vsock addon for this host: sh build-vsock.sh OUTPUT NODE_HEADERS. CC names the compiler.
set -eu
output=$1
headers=$2
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$(dirname "$output")"
# The same source as in the image. What it takes from Node-API and libuv, the Node that loads it has.
${CC:-cc} -std=gnu17 -O2 -fPIC -shared -s -Wall -Wextra -Werror -fno-ident -fno-strict-aliasing -fstack-protector-strong -D_FORTIFY_SOURCE=2 \
  -DNAPI_VERSION=8 -isystem "$headers" -Wl,-z,relro,-z,now,-z,noexecstack,--build-id=none,-soname,vsock.node \
  -o "$output.$$" "$here/../../enclave-image/native/vsock.c" || { rm -f "$output.$$"; exit 1; }
# At once, as an older one may be loaded.
mv -f "$output.$$" "$output"
