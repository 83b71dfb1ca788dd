#!/bin/sh
# A private federation of sites on this machine: guest 9999, host 10000,
# arbiter 10001 and as many more hosts as asked for, each with its own nginx,
# FastCGI app, supervisor, keys, database and folders, and one MariaDB server
# that listens on a unix socket only.
#
# usage: examples/federation.sh up [EXTRA_HOSTS] | down | status | database |
#        running
# (database starts the server again when it was killed; running tells by its
# exit code whether the federation is up)
#
# Everything lives in build/federation (FEDERATION overrides it);
# sites.json there says where each site listens.  BUILD is the build folder,
# PARTIES the sites when they are to be others; UNWATCHED=1 leaves nobody to
# start again what ends, for tests that do so themselves; OWN_DATABASES=1 gives
# each site a server of its own; ANEW=1 has the sites trust each other again,
# whatever was revoked since they first did.
set -eu

# Debian's mariadbd is where only root's PATH looks.
PATH=$PATH:/usr/sbin:/sbin
export PATH

top=$(cd "$(dirname "$0")/.." && pwd)
build=${BUILD:-$top/build}
fed=${FEDERATION:-$build/federation}
sluice=$build/bin/sluice

die() {
	echo "federation: $*" >&2
	exit 1
}

# Socket addresses hold 107 bytes: a deep checkout is reached by a short link.
short_path() {
	if [ ${#fed} -le 60 ]; then
		printf '%s\n' "$fed"
		return
	fi
	link=/tmp/sluice-$(id -u)-$(printf '%s' "$fed" | cksum | cut -d' ' -f1)
	if [ ! -e "$link" ]; then
		ln -s "$fed" "$link"
	fi
	[ "$(readlink "$link")" = "$fed" ] || die "$link is somebody else's"
	printf '%s\n' "$link"
}

parties() {
	cat "$fed/parties" 2>/dev/null || true
}

# The folder of the server of a site.
database_of() {
	echo "$home/db${OWN_DATABASES:+-$1}"
}

databases() {
	for party in $list; do
		database_of "$party"
	done | sort -u
}

database_alive() {
	mariadb-admin --no-defaults --socket="$db/db.sock" -u root ping \
		>/dev/null 2>&1
}

databases_up() {
	for db in $(databases); do
		database_up
	done
}

database_up() {
	database_alive && return 0
	# A server that starts removes temporary tables of all servers from the
	# folder for them: it has one of its own.
	mkdir -p "$db/tmp"
	chmod 700 "$db"
	user=
	if [ "$(id -u)" = 0 ]; then user=--user=root; fi
	if [ ! -d "$db/data/mysql" ]; then
		rm -rf "$db/data"
		# --force: names need not resolve, nobody connects by name.
		TMPDIR=$db/tmp mariadb-install-db --no-defaults \
			--datadir="$db/data" $user \
			--auth-root-authentication-method=normal \
			--skip-test-db --force >"$db/install.log" 2>&1 ||
			die "cannot create the database, see $db/install.log"
	fi
	# Connections are only possible through the socket in a folder of ours.
	mariadbd --no-defaults --datadir="$db/data" --socket="$db/db.sock" \
		--tmpdir="$db/tmp" \
		--pid-file="$db/db.pid" --log-error="$db/error.log" $user \
		--skip-networking --skip-name-resolve \
		--max-allowed-packet=128M --innodb-buffer-pool-size=64M \
		--innodb-log-file-size=64M --performance-schema=OFF \
		--max-connections=400 </dev/null >/dev/null 2>&1 9>&- &
	server=$!
	tries=0
	until database_alive; do
		kill -0 $server 2>/dev/null ||
			die "the database did not start, see $db/error.log"
		tries=$((tries + 1))
		[ $tries -lt 600 ] || die "the database is not ready"
		sleep 0.05	# mariadbd offers no event to wait for
	done
}

# One that has ended and that nobody waits for is a zombie: where the first
# process is no init, as in many containers, it remains one.
runs() {
	case $(sed -n 's/^State:[[:space:]]*//p' "/proc/$1/status" \
		2>/dev/null) in
	'' | Z* | X*) return 1 ;;
	esac
}

database_down() {
	pid=$(cat "$db/db.pid" 2>/dev/null || true)
	[ -n "$pid" ] || return 0
	mariadb-admin --no-defaults --socket="$db/db.sock" -u root \
		shutdown >/dev/null 2>&1 || kill "$pid" 2>/dev/null || true
	while runs "$pid"; do
		sleep 0.05
	done
}

site_up() {
	party=$1
	db=$(database_of "$party")
	if [ ! -f "$home/$party/site.conf" ]; then
		"$sluice" site init --home "$home/$party" --party "$party" \
			--free-ports --db-socket "$db/db.sock" \
			--db-name "sluice_$party" --db-user "sluice_$party" \
			--loopback-without-authentication >/dev/null
		"$sluice" db create --config "$home/$party/site.conf" \
			--admin-socket "$db/db.sock" --admin-user root \
			>/dev/null
	else
		# The template may be another since.
		"$sluice" site nginx --config "$home/$party/site.conf" \
			>/dev/null
	fi
	"$sluice" migrate --config "$home/$party/site.conf" \
		--sql "$top/sql" >/dev/null
	"$sluice" partner export --config "$home/$party/site.conf" \
		>"$home/$party.partner"
}

# A site takes another for a partner once, and lets its jobs do everything: all
# data of this federation is its own (an operator names components and datasets,
# docs/security.md).  What is removed, disabled or revoked later stays so, unless
# the other has something new to tell, like an address.
introduce() {
	party=$1
	other=$2
	given=$home/$party/introduced/$other
	cmp -s "$home/$other.partner" "$given" && return
	"$sluice" partner import --config "$home/$party/site.conf" \
		"$home/$other.partner" >/dev/null
	[ -e "$given" ] ||
		"$sluice" grant "$other" --config "$home/$party/site.conf" \
			--roles '*' --commands '*' --components '*' \
			--datasets '*' >/dev/null
	mkdir -p "$home/$party/introduced"
	cp "$home/$other.partner" "$given"
	introduced=1
}

# Was something built since the site's programs were started?
is_stale() {
	for program in fcgi-app supervisor; do
		case $(readlink "/proc/$(pid_of "$1" "$program")/exe") in
		*' (deleted)') return 0 ;;
		esac
	done
	pid=$home/$1/run/fcgi-app.pid
	[ -e "$pid" ] && [ -e "/proc/$(pid_of "$1" fcgi-app)" ] &&
		[ -n "$(find "$build/providers" -newer "$pid" -type f)" ]
}

up() {
	extra=${1:-0}
	mkdir -p "$fed"
	home=$(short_path)
	list=${PARTIES:-9999 10000 10001}
	n=0
	while [ "$n" -lt "$extra" ]; do
		n=$((n + 1))
		list="$list $((10001 + n))"
	done
	if [ -e "$fed/sites.json" ] && [ "$(parties)" != "$list" ]; then
		die "the sites $(parties) are up; stop them first" \
			"(./demo.sh --down or make federation-down)"
	fi
	echo "$list" >"$fed/parties"
	databases_up
	for party in $list; do
		site_up "$party"
	done
	introduced=0
	for party in $list; do
		[ -z "${ANEW:-}" ] || rm -rf "$home/$party/introduced"
		for other in $list; do
			[ "$other" = "$party" ] || introduce "$party" "$other"
		done
		if is_stale "$party"; then
			echo "  site $party is started again: it was built anew"
			"$sluice" site stop --home "$home/$party" >/dev/null
		fi
		"$sluice" site start --home "$home/$party" \
			${UNWATCHED:+--unwatched} >/dev/null
		echo "  site $party  clients $(conf_of "$party" client_url)" \
			" partners $(conf_of "$party" partner_url)"
	done
	describe >"$fed/sites.json.new"
	mv "$fed/sites.json.new" "$fed/sites.json"
	if [ $introduced = 1 ]; then
		echo "  new partners of each site may do everything there"
	else
		echo "  partners and grants are as they were left"
	fi
}

pid_of() {
	cat "$home/$1/run/$2.pid" 2>/dev/null || echo 0
}

# Values of our own site.conf: "key = value", unique keys.
conf_of() {
	sed -n "s/^$2 *= *//p" "$home/$1/site.conf"
}

describe() {
	first=1
	echo '{"sites": ['
	for party in $(parties); do
		[ "$first" = 1 ] || echo ','
		first=0
		printf '  {"party_id": "%s", "client_url": "%s", "client_tls_url": "%s",\n' \
			"$party" "$(conf_of "$party" client_url)" \
			"$(conf_of "$party" client_tls_url)"
		printf '   "partner_url": "%s", "db_socket": "%s", "db_name": "%s",\n' \
			"$(conf_of "$party" partner_url)" \
			"$(database_of "$party")/db.sock" \
			"sluice_$party"
		printf '   "home": "%s",\n' "$home/$party"
		printf '   "pids": {"nginx": %s, "fcgi-app": %s, "supervisor": %s}}' \
			"$(pid_of "$party" nginx)" \
			"$(pid_of "$party" fcgi-app)" \
			"$(pid_of "$party" supervisor)"
	done
	printf '\n]}\n'
}

down() {
	[ -d "$fed" ] || return 0
	home=$(short_path)
	list=$(parties)
	for party in $list; do
		[ -f "$home/$party/site.conf" ] || continue
		"$sluice" site stop --home "$home/$party" >/dev/null ||
			echo "federation: site $party did not stop" >&2
		memory=$(conf_of "$party" memory_dir)
		case $memory in /dev/shm/sluice-*) rm -rf "$memory" ;; esac
	done
	for db in $(databases); do
		database_down
	done
	rm -f "$fed/sites.json"
	if [ "$home" != "$fed" ]; then rm -f "$home"; fi
}

# sites.json alone is what a machine that was switched off leaves.
running() {
	[ -e "$fed/sites.json" ] || return 1
	home=$(short_path)
	list=$(parties)
	for db in $(databases); do
		if database_alive; then return 0; fi
	done
	return 1
}

status() {
	home=$(short_path)
	for party in $(parties); do
		"$sluice" site status --home "$home/$party" || true
	done
}

case ${1:-} in
up) up "${2:-0}" ;;
down) down ;;
status) status ;;
running) running ;;
database)
	home=$(short_path)
	list=$(parties)
	databases_up
	;;
*)
	sed -n '2,/^set/p' "$0" | sed -e 's/^# \{0,1\}//' -e '/^set/d' >&2
	exit 2
	;;
esac
