#!/bin/sh
# Run the given test programs, all of them whatever happens; show the whole
# output of those that fail, and count.  usage: tests/unit/run.sh PROGRAM...
set -u
passed=0
failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for program; do
	if "$program" >"$log" 2>&1; then
		passed=$((passed + 1))
		printf 'ok    %-40s %s\n' "$program" \
			"$(sed -n 's/^\[  PASSED  \] //p' "$log")"
		grep '^\[  SKIPPED \]' "$log" | sort -u
	else
		failed=$((failed + 1))
		cat "$log"
		echo "FAILED $program"
	fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ] && [ $passed != 0 ]
