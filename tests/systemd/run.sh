#!/bin/sh
# Two sites as they are installed, on a machine of their own: this one's files
# under an overlay in memory, and systemd as the first process of PID, mount,
# UTS, IPC, network and cgroup namespaces.  Needs root and what makes these;
# without it nothing is tested, which is said, and is a failure under CI.
#
# usage: BUILD=build tests/systemd/run.sh [test name ...]
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=${BUILD:-$top/build}
work=$BUILD/systemd
export top BUILD work

not_tested() {
	echo "THE INSTALLED FORM UNDER SYSTEMD WAS NOT TESTED: $*" >&2
	[ -z "${CI:-}" ]
	exit
}

[ "$(id -u)" = 0 ] || not_tested "that takes root"
[ -x /lib/systemd/systemd ] || not_tested "there is no systemd"
unshare --mount --uts --ipc --net --cgroup --pid --fork sh -c '
	mount -t tmpfs tmpfs /mnt && mkdir /mnt/c /mnt/u /mnt/w /mnt/r &&
	mount -t cgroup2 cgroup2 /mnt/c && mount -t overlay overlay \
	    -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w /mnt/r' \
	>/dev/null 2>&1 ||
	not_tested "this machine lets nobody make namespaces, control groups" \
	    "(version 2) and overlays"

# A group of its own, which becomes the root of what systemd sees.
at=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
[ -n "$at" ] || not_tested "there are no control groups of version 2"
group=$at$(sed -n 's/^0:://p' /proc/self/cgroup)/sluice-systemd-$$
mkdir -p "$group" || not_tested "no control group can be made"

rm -rf "$work"
mkdir -p "$work"
printf '%s\n' "$@" >"$work/tests"
trap 'find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# With systemd, all that is started there ends.
sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$group" \
	timeout --foreground 900 unshare --mount --uts --ipc --net --cgroup \
	--pid --fork --kill-child "$top/tests/systemd/boot.sh" \
	>"$work/console.log" 2>&1 || true

cat "$work/output.log" 2>/dev/null || tail -n 50 "$work/console.log"
read -r code <"$work/code" 2>/dev/null || code=1
exit "$code"
