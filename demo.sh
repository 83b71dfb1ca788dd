#!/bin/sh
# The main job on real data: two organisations train a model together.
#
# usage: ./demo.sh [--keep] [--down] [--report FILE] [--parties N]
#
#   --keep         leave the federation running afterwards
#   --down         stop a federation that was left running, and end
#   --report FILE  also write the report as JSON
#   --parties N    N more hosts; they share the host's columns
#
# Installs what is missing (Debian packages), builds, starts a private
# federation of sites on loopback, uploads, trains, and shows the result.
set -eu

top=$(cd "$(dirname "$0")" && pwd)
cd "$top"
keep=0
down=0
report=
extra=0

usage() {
	sed -n '2,/^set/p' "$0" | sed -e 's/^# \{0,1\}//' -e '/^set/d'
	exit "$1"
}

while [ $# -gt 0 ]; do
	case $1 in
	--keep) keep=1 ;;
	--down) down=1 ;;
	--report)
		[ $# -ge 2 ] || usage 2 >&2
		shift
		case $1 in
		/*) report=$1 ;;
		*) report=$OLDPWD/$1 ;;
		esac
		;;
	--parties)
		[ $# -ge 2 ] || usage 2 >&2
		shift
		case $1 in
		'' | *[!0-9]* | ????*) usage 2 >&2 ;;
		esac
		extra=$1
		;;
	-h | --help) usage 0 ;;
	*)
		echo "demo.sh: what is $1?" >&2
		usage 2 >&2
		;;
	esac
	shift
done

if [ -n "$report" ] && [ -e "$report" ]; then
	echo "demo.sh: $report is there already: name another, or remove it" >&2
	exit 1
fi

federation() {
	sh examples/federation.sh "$@"
}

if [ "$down" = 1 ]; then
	federation down
	echo "the federation is stopped; its data stays in build/federation"
	exit 0
fi

step() {
	if [ -t 1 ]; then
		printf '\n\033[1m%s\033[0m\n' "$*"
	else
		printf '\n%s\n' "$*"
	fi
}

# The demo's own commands have no key.
for conf in "${FEDERATION:-build/federation}"/*/site.conf; do
	if grep -qs '^client_auth_off_on_loopback *= *no' "$conf"; then
		echo "demo.sh: $conf has client_auth_off_on_loopback = no," \
			"and the demo submits without a key: set it to yes" >&2
		exit 1
	fi
done

step "1. Packages and build"
sh conf/install-packages.sh conf/packages.build conf/packages.site
make -s -j"$(nproc)" all

step "2. A federation of $((3 + extra)) sites on this machine"
# One that is up already was kept on purpose, and stays.
if [ "$keep" = 0 ] && ! federation running; then
	trap 'federation down' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
fi
federation up "$extra"

step "3. The job: logistic regression over columns that no one party has"
sh examples/hetero_lr/run.sh "$extra" ${report:+"$report"}

if [ "$keep" = 1 ]; then
	cat <<-TEXT

	The federation goes on running; build/federation/sites.json says where.
	Stop it with: ./demo.sh --down
	What you grant, limit or revoke stays so when ./demo.sh runs once more;
	rm -r build/federation, while it is stopped, begins anew.
	TEXT
fi
