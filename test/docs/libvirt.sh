#!/bin/sh
# Puts libvirt's schemas and xmllint into .cache/libvirt, for the test that holds the machine descriptions of docs/how-to/run-confidentially against them.
# Nothing is installed on the machine: packages of Debian's unstable suite are downloaded and unpacked, because stable suites have a
# libvirt that does not know TDX. Needs apt-get, dpkg and the Debian archive keyring.
set -eu
cd "$(dirname "$0")/../.."
target=.cache/libvirt
if [ -e "$target/complete" ]; then exit 0; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$target"
mkdir -p "$target" "$work/packages"
. test/private-apt.sh
private_apt "$work" sid
(cd "$work/packages" && apt-get -qq download libvirt-common libxml2-utils libxml2-16 zlib1g libreadline8t64 libtinfo6 libc6)
for package in "$work"/packages/*.deb; do dpkg -x "$package" "$target"; done
touch "$target/complete"
