#!/bin/sh
# What a site stands: its database, its disk, its clock, its partners and its
# own programs gone for a while or replaced, and more work than it takes.  Two
# real sites, each with a database of its own, in a mount namespace of theirs.
# The short form has outages of seconds and the quickest of the tests.
#
# usage: BUILD=build tests/outage/run.sh [--short] [test name ...]
set -eu
UNWATCHED=1 ANEW=1
export UNWATCHED ANEW

top=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$top/build}
export BUILD

if [ -z "${IN_NAMESPACE:-}" ] && [ "$(id -u)" = 0 ] &&
	unshare --mount true 2>/dev/null; then
	IN_NAMESPACE=1 exec unshare --mount "$0" "$@"
fi

if [ "${1:-}" = --short ]; then
	OUTAGE_FORM=short
	shift
fi
# OUTAGE_FORM=all: all tests, with the outages of the short form.
OUTAGE_FORM=${OUTAGE_FORM:-long}
FEDERATION=$BUILD/outage-federation
PARTIES="9999 10000"
OWN_DATABASES=1
export OUTAGE_FORM FEDERATION PARTIES OWN_DATABASES
cd "$top"

trap '"$top/examples/federation.sh" down' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
examples/federation.sh up

cd tests/outage
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$top/tests/integration TEST_FOLDER=$PWD \
	python3 "$top/tests/integration/runner.py" "$@"
