#!/bin/sh
# Puts libvirt's schemas and xmllint into .cache/libvirt, for the test that holds the machine descriptions of docs/operate against them.
# Nothing is installed on the machine: packages of Debian's unstable suite are downloaded and unpacked, because stable suites have a
# libvirt that does not know TDX. Needs apt-get, dpkg and the Debian archive keyring.
set -eu
cd "$(dirname "$0")/../.."
target=.cache/libvirt
if [ -e "$target/complete" ]; then exit 0; fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -rf "$target"
mkdir -p "$target" "$work/state/lists/partial" "$work/cache/archives/partial" "$work/packages"
echo "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian sid main" >"$work/sources.list"
: >"$work/status"
cat >"$work/apt.conf" <<END
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::State "$work/state";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
APT::Architecture "amd64";
APT::Sandbox::User "root";
Acquire::Languages "none";
END
export APT_CONFIG="$work/apt.conf"
apt-get -qq update
(cd "$work/packages" && apt-get -qq download libvirt-common libxml2-utils libxml2-16 zlib1g libreadline8t64 libtinfo6 libc6)
for package in "$work"/packages/*.deb; do dpkg -x "$package" "$target"; done
touch "$target/complete"
