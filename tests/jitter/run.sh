#!/bin/sh
# The integration tests while the sites' programs stand still for moments, each
# time others: whoever relies on who comes first is found out.
#
# usage: BUILD=build [SEED=1] [ROUNDS=1] [LONGEST=200] tests/jitter/run.sh [module ...]
set -eu
UNWATCHED=1 ANEW=1
export UNWATCHED ANEW

top=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$top/build}
FEDERATION=${FEDERATION:-$BUILD/jitter-federation}
export BUILD FEDERATION
cd "$top"

trap '"$top/examples/federation.sh" down' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
examples/federation.sh up

cd tests/integration
n=0
failed=0
while [ $n -lt "${ROUNDS:-1}" ]; do
	PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$top/bench" \
		python3 ../jitter/jitter.py --seed $((${SEED:-1} + n)) \
		--longest "${LONGEST:-200}" \
		"$FEDERATION" -- python3 runner.py "$@" || failed=$((failed + 1))
	n=$((n + 1))
done
echo "$n rounds, $failed with failures"
[ $failed = 0 ]
