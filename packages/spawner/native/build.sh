#!/bin/sh
# Compiles the spawner, static and the same bytes every time: sh build.sh OUTPUT. CC names the compiler.
set -eu
output=$1
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$(dirname "$output")"
output=$(cd "$(dirname "$output")" && pwd)/$(basename "$output")
cd "$here"
${CC:-cc} -std=c11 -O2 -static -s -Wall -Wextra -Werror -fno-ident -fstack-protector-strong -D_FORTIFY_SOURCE=2 -Wl,--build-id=none -o "$output.$$" \
  ./*.c || { rm -f "$output.$$"; exit 1; }
# At once, as an older one may be running.
mv -f "$output.$$" "$output"
