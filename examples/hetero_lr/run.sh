#!/bin/sh
# Upload the example tables to the federation that is up, train, and report.
#
# usage: examples/hetero_lr/run.sh [EXTRA_HOSTS [REPORT_FILE]]
#
# With more hosts the host's twenty columns are shared out among them; the
# model is the same, its parts lie at more parties.  (The arbiter cannot tell
# the loss then, so training stops by the size of the steps.)
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-$top/build}
fed=${FEDERATION:-$build/federation}
sluice=$build/bin/sluice
here=$top/examples/hetero_lr
data=$top/examples/data
extra=${1:-0}
report=${2:-}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

upload() { # FILE PARTY TABLE
	printf '  %-24s to site %s\n' "$(basename "$1")" "$2"
	"$sluice" upload "$1" --config "$fed/$2/site.conf" \
		--namespace demo --name "$3" --drop --watch >"$work/log" 2>&1 || {
		cat "$work/log" >&2
		exit 1
	}
}

upload "$data/breast_guest.csv" 9999 breast_guest
if [ "$extra" = 0 ]; then
	upload "$data/breast_host.csv" 10000 breast_host
	cp "$here/conf.json" "$work/conf.json"
else
	hosts="10000"
	n=0
	while [ "$n" -lt "$extra" ]; do
		n=$((n + 1))
		hosts="$hosts $((10001 + n))"
	done
	n=0
	for host in $hosts; do
		mkdir -p "$work/$host"
		awk -F, -v me="$n" -v all="$((extra + 1))" -v OFS=, '{
			line = $1
			k = 0
			for (c = 2; c <= NF; c++)
				if ((c - 2) % all == me)
					line = line OFS (NR == 1 ? "x" k++ : $c)
			print line
		}' "$data/breast_host.csv" >"$work/$host/breast_host.csv"
		upload "$work/$host/breast_host.csv" "$host" breast_host
		n=$((n + 1))
	done
	list=$(echo "$hosts" | sed 's/ /, /g')
	sed -e "s/\"host\": \[10000\]/\"host\": [$list]/" \
		-e 's/"early_stop": "diff"/"early_stop": "weight_diff"/' \
		"$here/conf.json" >"$work/conf.json"
fi

job=$("$sluice" submit --config "$fed/9999/site.conf" \
	--dsl "$here/dsl.json" --conf "$work/conf.json")
echo "  job $job"
# The report tells of a failure better than the watch's exit code.
"$sluice" watch "$job" --config "$fed/9999/site.conf" || true
status=0
"$sluice" report "$job" --sites "$fed/sites.json" ${report:+--write "$report"} ||
	status=$?

cat <<TEXT

Where to look next (./demo.sh --keep leaves the federation up for it)
  build/bin/sluice metrics $job evaluation_0 --role guest --party 9999 --config build/federation/9999/site.conf
  build/bin/sluice output $job hetero_lr_0 --config build/federation/9999/site.conf
  build/bin/sluice log $job --config build/federation/9999/site.conf
  build/bin/sluice deploy $job --predict-conf predict.json --config build/federation/9999/site.conf
  examples/hetero_lr/    the job's two files: change a parameter, submit again
  README.md              your own table, predictions, what partners may do
TEXT
exit $status
