#!/bin/sh
# The classic client against real sites: its command line, its two
# libraries, its job files; and wrong input for every route.
#
# usage: BUILD=build tests/clients/run.sh [test module or name ...]
#
# What stands in `pending` is left out, unless named here.
set -eu
UNWATCHED=1 ANEW=1
export UNWATCHED ANEW

top=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$top/build}
FEDERATION=${FEDERATION:-$BUILD/client-federation}
CLIENT_ENV=$BUILD/client-env
export BUILD FEDERATION CLIENT_ENV
cd "$top"

if ! tests/clients/env.sh "$CLIENT_ENV"; then
	if [ -n "${CI:-}" ]; then exit 1; fi
	echo "THE CLASSIC CLIENT WAS NOT TESTED" >&2
	exit 0
fi

trap '"$top/examples/federation.sh" down' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
examples/federation.sh up

cd tests/clients
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$top/tests/integration TEST_FOLDER=$PWD \
	"$CLIENT_ENV/bin/python3" "$top/tests/integration/runner.py" "$@"
