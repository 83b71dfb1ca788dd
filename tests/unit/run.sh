#!/bin/sh
# Run the given test programs, all of them whatever happens; show the whole
# output of those that fail, and count.  They wait as well as compute: there are
# half as many again at a time as processors, or UNIT_JOBS.  One that hangs is
# ended after UNIT_SECONDS, and has failed.
# usage: tests/unit/run.sh PROGRAM...
set -u

# One program, told in one piece when it has ended.
if [ "${1:-}" = --one ]; then
	program=$3
	log=$2/${program##*/}
	begun=$(date +%s.%N)
	timeout -k 10 "${UNIT_SECONDS:-600}" "$program" >"$log" 2>&1
	status=$?
	took=$(echo "$(date +%s.%N) $begun" | awk '{ printf "%.1f", $1 - $2 }')
	text=$(
		if [ $status = 0 ]; then
			printf 'ok    %-40s %5s s  %s\n' "$program" "$took" \
				"$(sed -n 's/^\[  PASSED  \] //p' "$log")"
			grep '^\[  SKIPPED \]' "$log" | sort -u
		else
			cat "$log"
			echo "FAILED $program (status $status)"
		fi
	)
	printf '%s\n' "$text"
	[ $status = 0 ] || : >"$log.failed"
	exit 0
fi

logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
printf '%s\n' "$@" |
	xargs -n 1 -P "${UNIT_JOBS:-$((($(nproc) * 3 + 1) / 2))}" "$0" --one "$logs"
failed=$(find "$logs" -name '*.failed' | wc -l)
echo "$(($# - failed)) passed, $failed failed"
[ "$failed" = 0 ] && [ $# != 0 ]
