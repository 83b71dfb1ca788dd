#!/bin/sh
# Hostile partners and users against a federation of its own; the last line
# counts.  usage: BUILD=build tests/hostile/run.sh
set -eu
# World starts request handlers anew itself; whoever watches would do so, too.
UNWATCHED=1 ANEW=1
export UNWATCHED ANEW

top=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$top/build}
FEDERATION=$BUILD/hostile-federation
export BUILD FEDERATION
cd "$top"

trap '"$top/examples/federation.sh" down' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
examples/federation.sh up

PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$top/tests/integration \
	timeout 1800 python3 tests/hostile/check.py
