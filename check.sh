#!/bin/sh
# Install what is missing, build, and run every test.
#
# usage: ./check.sh [make target ...]    (default: check)
set -eu

cd "$(dirname "$0")"
sh conf/install-packages.sh conf/packages.build conf/packages.site \
	conf/packages.test
exec make -j"$(nproc)" "${@:-check}"
