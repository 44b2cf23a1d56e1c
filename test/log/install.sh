#!/bin/sh
# Builds the tests' counterparts in Go into .cache/go: an oracle over the Go project's own libraries, and the witness litewitness.
# test/log/go/go.sum pins every module. Nothing is installed on the machine. Needs Go 1.26.
set -eu
cd "$(dirname "$0")/../.."
command -v go >/dev/null || { echo "test/log: Go 1.26 or newer is needed" >&2; exit 1; }
export GOPATH="$PWD/.cache/go" GOMODCACHE="$PWD/.cache/go/mod" GOCACHE="$PWD/.cache/go/build" GOFLAGS=-modcacherw GOTOOLCHAIN=local
mkdir -p .cache/go/bin
cd test/log/go
go build -mod=readonly -trimpath -buildvcs=false -o ../../../.cache/go/bin/ ./oracle filippo.io/torchwood/cmd/litewitness
