#!/bin/sh
# Run one fuzz target for a while on its kept corpus; findings stay in the
# build folder.  A short run takes the same way each time, so that it says
# something of a change; a long one goes where chance leads (FUZZ_SEED).
# usage: tests/fuzz/run.sh BUILD TARGET SECONDS
set -eu
build=$1
target=$2
seconds=$3
if [ "$seconds" -gt 60 ]; then seed=0; else seed=1; fi

mkdir -p "$build/corpus/$target"
kept=tests/fuzz/corpus/$target
[ -d "$kept" ] || kept=
log=$build/fuzzers/$target.log
# shellcheck disable=SC2086  # $kept may be no argument at all
if "$build/fuzzers/$target" -max_total_time="$seconds" -timeout=30 \
	-seed="${FUZZ_SEED:-$seed}" \
	-rss_limit_mb=2048 -artifact_prefix="$build/fuzzers/$target-" \
	"$build/corpus/$target" $kept >"$log" 2>&1; then
	runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$log")
	echo "fuzz $target: ${runs:-0} runs in $seconds s, nothing found"
else
	tail -40 "$log" >&2
	echo "fuzz $target: FOUND something, see $log" >&2
	exit 1
fi
