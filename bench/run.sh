#!/bin/sh
# Every benchmark: each compares with its floor in the same run, prints a
# table of medians, and writes build/bench/NAME.json.
# usage: BUILD=build bench/run.sh [NAME ...]
set -eu
UNWATCHED=1 ANEW=1
export UNWATCHED ANEW

top=$(cd "$(dirname "$0")/.." && pwd)
BUILD=${BUILD:-$top/build}
FEDERATION=$BUILD/bench-federation
export BUILD FEDERATION
cd "$top"
mkdir -p "$BUILD/bench"

wanted=${*:-}
chosen() {
	[ -z "$wanted" ] && return 0
	case " $wanted " in
	*" $1 "*) return 0 ;;
	esac
	return 1
}

for program in "$BUILD"/bench/bin/*; do
	name=$(basename "$program")
	case $name in *.*) continue ;; esac
	if chosen "$name"; then
		echo "== $name"
		B=$BUILD "$program"
	fi
done

leave() {
	examples/federation.sh down
	echo $$ >/sys/fs/cgroup/cpuacct/tasks
	rmdir "$group" || true
}

# What a decision costs among ended jobs, in virtual time.
if chosen decisions; then
	echo "== decisions"
	"$BUILD/tests/simulation" --bench
fi

if chosen schedule || chosen mailbox || chosen memory || chosen queue ||
	chosen starts || chosen api; then
	# What processor time goes where is known whoever else is busy.
	group=/sys/fs/cgroup/cpuacct/sluice-bench-$$
	if mkdir "$group" 2>/dev/null; then
		echo $$ >"$group/tasks"
		trap 'leave' EXIT
	else
		trap 'examples/federation.sh down' EXIT
	fi
	trap 'exit 130' INT
	trap 'exit 143' TERM
	examples/federation.sh up
	for name in schedule mailbox memory queue starts; do
		# A part of queue.
		if [ $name = starts ] && [ -z "$wanted" ]; then continue; fi
		if chosen $name; then
			echo "== $name"
			PYTHONDONTWRITEBYTECODE=1 \
			PYTHONPATH=tests/integration:bench \
				python3 bench/sites.py $name
		fi
	done
	# The last one: it fills the database.
	if chosen api; then
		echo "== api"
		PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=tests/integration:bench \
			python3 bench/api.py
	fi
fi
