#!/bin/sh
# Puts a software TPM into .cache/swtpm, for the tests that talk to one. Nothing is installed on the machine: packages of the image's lock
# file are fetched, compared with their hashes and unpacked. Needs x86-64 Linux and a mirror of Debian.
set -eu
cd "$(dirname "$0")/../.."
sh scripts/setup.sh
exec "$(sh scripts/node-path.sh)" --disable-warning=ExperimentalWarning test/swtpm/install.ts
