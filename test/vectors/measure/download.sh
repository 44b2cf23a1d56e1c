#!/bin/sh
# Puts the firmware and kernel of the golden vectors into .cache/image/vectors: files of Debian packages, checked by SHA-256, unpacked and
# never installed. Packages that the image build has fetched are used first; for others it needs apt-get, dpkg and the Debian archive
# keyring. Debian's unstable suite moves on: when a version is gone, take its package from snapshot.debian.org and put the file into the
# folder by hand.
set -eu
root=$(cd "$(dirname "$0")/../../.." && pwd)
packages=$root/.cache/image/packages
target=$root/.cache/image/vectors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$target"

. "$root/test/private-apt.sh"
read_package_lists() {
  [ -e "$work/apt.conf" ] && return
  echo "reading package lists"
  private_apt "$work" trixie sid bookworm-backports
}

holds() {
  echo "$2  $1" | sha256sum --check --status 2>/dev/null
}

# take NAME PATH SHA256 PACKAGE-FILE: whether the package has the file
take() {
  rm -rf "$work/unpacked"
  dpkg -x "$4" "$work/unpacked"
  holds "$work/unpacked/$2" "$3" && cp "$work/unpacked/$2" "$target/$1"
}

# fetch NAME PACKAGE VERSION PATH SHA256
fetch() {
  if holds "$target/$1" "$5"; then
    echo "$1: present"
    return
  fi
  for file in "$packages/$2"_*.deb; do
    if [ -e "$file" ] && take "$1" "$4" "$5" "$file"; then
      echo "$1: from the image build's packages"
      return
    fi
  done
  read_package_lists
  echo "$1: fetching $2 $3"
  (cd "$work" && rm -f ./*.deb && apt-get -qq download "$2=$3")
  take "$1" "$4" "$5" "$work"/*.deb || { echo "$1: $2 $3 holds another file; see the comment in $0" >&2; exit 1; }
}

fetch OVMF.amdsev.fd ovmf-amdsev 2026.08+ds-2 usr/share/ovmf/OVMF.amdsev.fd 3e4fd0b3fe3b2dbe481c3d9e99418a034174f26cbe1f55aa212b0f18c12d2d6f
fetch OVMF.inteltdx.ms.fd ovmf-inteltdx 2026.08+ds-2 usr/share/ovmf/OVMF.inteltdx.ms.fd a265075b4147a096109e501e76196df1ec8a18659c26f7401492c597ec88f312
fetch OVMF.trixie.fd ovmf 2025.02-8+deb13u1 usr/share/ovmf/OVMF.fd 14954040cc754ade0c625ac3470ea46d4c14318b5b1396de4ef77090203d76db
fetch OVMF_CODE_4M.trixie.fd ovmf 2025.02-8+deb13u1 usr/share/OVMF/OVMF_CODE_4M.fd 624e06de18b4fa535e90db7160d00d3d07d206422b89999bf1e27d920264e4e0
fetch vmlinuz-6.12.95+deb12-cloud-amd64 linux-image-6.12.95+deb12-cloud-amd64 6.12.95-1~bpo12+1 boot/vmlinuz-6.12.95+deb12-cloud-amd64 fadf27c4528461030ddff1d20e6622f76e1e007f7c64796f5ad9b71e37267a6f
