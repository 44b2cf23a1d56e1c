#!/bin/sh
# Puts a software TPM into .cache/swtpm, for the tests that talk to one. Nothing is installed on the machine: the
# Debian packages are downloaded and unpacked. Needs apt-get and dpkg.
set -eu
cd "$(dirname "$0")/../.."
target=.cache/swtpm
if [ -x "$target/usr/bin/swtpm" ]; then exit 0; fi
rm -rf "$target"
mkdir -p "$target/packages"
(cd "$target/packages" && apt-get -o APT::Sandbox::User=root download swtpm swtpm-libs libtpms0)
for package in "$target"/packages/*.deb; do dpkg -x "$package" "$target"; done
rm -r "$target/packages"
found=$(echo "$target"/usr/lib/*/swtpm)
LD_LIBRARY_PATH="$(dirname "$found"):$found" "$target/usr/bin/swtpm" --version >/dev/null
