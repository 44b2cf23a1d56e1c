#!/bin/sh
# Fetches the firmware and kernel of the golden vectors into .cache/image/vectors: Debian packages, checked by SHA-256 of the files,
# unpacked and never installed. Needs apt-get, dpkg and the Debian archive keyring. Debian's unstable suite moves on: when a version is
# gone, fetch its package from snapshot.debian.org and put the file there by hand; the tests check its hash.
set -eu
root=$(cd "$(dirname "$0")/../../.." && pwd)
target=$root/.cache/image/vectors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$target" "$work/state/lists/partial" "$work/cache/archives/partial" "$work/packages"
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
for suite in trixie sid bookworm-backports; do
  echo "deb [arch=amd64 signed-by=$keyring] http://deb.debian.org/debian $suite main"
done >"$work/sources.list"
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
echo "reading package lists"
apt-get -qq update

# fetch NAME PACKAGE=VERSION PATH SHA256
fetch() {
  if echo "$4  $target/$1" | sha256sum --check --status 2>/dev/null; then
    echo "$1: present"
    return
  fi
  echo "$1: fetching $2"
  (cd "$work/packages" && rm -f ./*.deb && apt-get -qq download "$2" && dpkg -x ./*.deb unpacked)
  echo "$4  $work/packages/unpacked/$3" | sha256sum --check --status || { echo "$1: $2 holds another file; see the comment in $0" >&2; exit 1; }
  cp "$work/packages/unpacked/$3" "$target/$1"
}

fetch OVMF.amdsev.fd ovmf-amdsev=2026.08+ds-2 usr/share/ovmf/OVMF.amdsev.fd 3e4fd0b3fe3b2dbe481c3d9e99418a034174f26cbe1f55aa212b0f18c12d2d6f
fetch OVMF.inteltdx.ms.fd ovmf-inteltdx=2026.08+ds-2 usr/share/ovmf/OVMF.inteltdx.ms.fd a265075b4147a096109e501e76196df1ec8a18659c26f7401492c597ec88f312
fetch OVMF.trixie.fd ovmf=2025.02-8+deb13u1 usr/share/ovmf/OVMF.fd 14954040cc754ade0c625ac3470ea46d4c14318b5b1396de4ef77090203d76db
fetch OVMF_CODE_4M.trixie.fd ovmf=2025.02-8+deb13u1 usr/share/OVMF/OVMF_CODE_4M.fd 624e06de18b4fa535e90db7160d00d3d07d206422b89999bf1e27d920264e4e0
fetch vmlinuz-6.12.95+deb12-cloud-amd64 linux-image-6.12.95+deb12-cloud-amd64=6.12.95-1~bpo12+1 boot/vmlinuz-6.12.95+deb12-cloud-amd64 fadf27c4528461030ddff1d20e6622f76e1e007f7c64796f5ad9b71e37267a6f
