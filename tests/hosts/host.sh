#!/bin/sh
# The first process of a host: with it all others of the host end.  Waits for
# the link, starts the site's programs, says so, and reaps what ends.
# usage: host.sh NAME OWN_FOLDER HOME ADDRESS PARTNERS_ADDRESS CPU
set -eu
name=$1 own=$2 home=$3 address=$4 outside=$5 cpu=$6

hostname "$name"
mount --make-rprivate /
mount --bind "$own" "$home"
ip link set lo up
read -r pid	# the link is there
ip link set "w$name" name link0	# to the other host
ip address add "$address/30" dev link0
ip link set link0 up
ip address add "$outside/30" dev "o$name"	# to the partner
ip link set "o$name" up
ip route add 10.77.0.0/16 dev "o$name"
"$BUILD/bin/sluice" site nginx --config "$home/site.conf"
echo "$pid" >/proc/sys/kernel/ns_last_pid
for _ in 1 2 3 4 5; do	# it gives up where all is slow
	if taskset -c "$cpu" "$BUILD/bin/sluice" site start --home "$home" \
		--unwatched; then
		echo up
		break
	fi
done
while read -r pid; do	# the number of the process before the next one
	echo "$pid" >/proc/sys/kernel/ns_last_pid
	echo set
done
