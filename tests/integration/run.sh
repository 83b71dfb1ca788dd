#!/bin/sh
# The integration tests: a federation of their own, real sites, real kills.
# usage: BUILD=build tests/integration/run.sh [test module ...]
set -eu
UNWATCHED=1 ANEW=1
export UNWATCHED ANEW

top=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$top/build}
FEDERATION=${FEDERATION:-$BUILD/test-federation}
export BUILD FEDERATION
cd "$top"

trap '"$top/examples/federation.sh" down' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
examples/federation.sh up

cd tests/integration
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$top/bench" python3 runner.py "$@"
