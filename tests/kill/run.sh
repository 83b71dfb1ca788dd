#!/bin/sh
# Kill everywhere, over a federation of two sites of its own.
# usage: BUILD=build tests/kill/run.sh [--short] [--step N,N] [--victim NAME,NAME]
set -eu
UNWATCHED=1 ANEW=1
export UNWATCHED ANEW

top=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$top/build}
FEDERATION=$BUILD/kill-federation
PARTIES="9999 10000"
PROBE_PAGE=$BUILD/kill/page
export BUILD FEDERATION PARTIES PROBE_PAGE
cd "$top"

trap '"$top/examples/federation.sh" down' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
rm -f "$PROBE_PAGE"
truncate -s 4096 "$PROBE_PAGE"
# For the programs of the sites, now and whenever they are started again.
LD_PRELOAD=$BUILD/kill/probe.so
export LD_PRELOAD
examples/federation.sh up

PYTHONDONTWRITEBYTECODE=1 python3 tests/kill/check.py "$@"
