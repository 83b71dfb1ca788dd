#!/bin/sh
# Two hosts that serve one site: each in PID, mount, UTS and network namespaces
# of its own, with programs, folders and /proc of its own, and only the shared
# folder, the database and a link between the two in common.  Needs root;
# without it nothing is tested, which is said, and is a failure under CI.
#
# usage: BUILD=build tests/hosts/run.sh [test name ...]
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$top/build}
export BUILD

if [ "$(id -u)" != 0 ] || ! unshare --pid --fork --mount-proc --uts --net \
	ip link add name a type veth peer name b >/dev/null 2>&1; then
	echo "SEVERAL HOSTS WERE NOT TESTED: that takes root, namespaces" \
		"and virtual links" >&2
	[ -z "${CI:-}" ]
	exit
fi
cd "$top/tests/hosts"
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$top/tests/integration" TEST_FOLDER="$PWD"
UNWATCHED=1
export UNWATCHED
# The partner is in this network, with a link to each host.  With the first
# process of this namespace all that is started here ends, however it ends.
exec unshare --net --pid --fork --kill-child --mount-proc \
	sh -c 'ip link set lo up && exec "$@"' sh \
	python3 "$top/tests/integration/runner.py" "$@"
