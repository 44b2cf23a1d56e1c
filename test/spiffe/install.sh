#!/bin/sh
# Builds the tests' counterpart for SPIFFE in Go into .cache/go: a program over the SPIFFE project's own library.
# test/spiffe/go/go.sum pins every module. Nothing is installed on the machine. Needs Go 1.26.
set -eu
cd "$(dirname "$0")/../.."
command -v go >/dev/null || { echo "test/spiffe: Go 1.26 or newer is needed" >&2; exit 1; }
export GOPATH="$PWD/.cache/go" GOMODCACHE="$PWD/.cache/go/mod" GOCACHE="$PWD/.cache/go/build" GOFLAGS=-modcacherw GOTOOLCHAIN=local
mkdir -p .cache/go/bin
cd test/spiffe/go
go build -mod=readonly -trimpath -buildvcs=false -o ../../../.cache/go/bin/spiffe .
