#!/bin/sh
# Faults between sites: a federation in a network namespace of its own, whose
# packets nftables drops as the tests say.  Needs root and nft; without them
# nothing is tested, which is said, and is a failure under CI.  NETWORK_FORM=long
# has black holes of a minute as well.
#
# usage: BUILD=build tests/network/run.sh [test name ...]
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$top/build}
export BUILD

if [ -z "${IN_NAMESPACE:-}" ]; then
	if [ "$(id -u)" != 0 ] || ! command -v nft >/dev/null ||
		! unshare --net nft list tables >/dev/null 2>&1; then
		echo "FAULTS OF THE NETWORK WERE NOT TESTED:" \
			"that takes root, nft and network namespaces" >&2
		[ -z "${CI:-}" ]
		exit
	fi
	IN_NAMESPACE=1 exec unshare --net "$0" "$@"
fi
ip link set lo up

FEDERATION=$BUILD/network-federation
PARTIES="9999 10000 10001"
UNWATCHED=1 ANEW=1
export FEDERATION PARTIES UNWATCHED ANEW
cd "$top"
trap '"$top/examples/federation.sh" down' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
examples/federation.sh up

cd tests/network
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$top/tests/integration TEST_FOLDER=$PWD \
	python3 "$top/tests/integration/runner.py" "$@"
