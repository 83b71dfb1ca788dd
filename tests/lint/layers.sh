#!/bin/sh
# Layers point down only, and some things stand in one place only.  Each rule
# is one grep; a match is printed as file:line and fails the check.
set -u
cd "$(dirname "$0")/../.." || exit 1
bad=0

# refuse NAME PATTERN PATH...: no line of the paths may match.
refuse() {
	name=$1
	pattern=$2
	shift 2
	if grep -rnE --include='*.[ch]' -e "$pattern" "$@" 2>/dev/null; then
		echo "lint: $name" >&2
		bad=1
	fi
}

refuse "lib/ must not include a program's headers" \
	'#include "(fcgi-app|supervisor|executor|cli|tests)/' lib
refuse "programs must not include each other's headers" \
	'#include "(supervisor|executor|cli)/' fcgi-app
refuse "programs must not include each other's headers" \
	'#include "(fcgi-app|executor|cli)/' supervisor
refuse "programs must not include each other's headers" \
	'#include "(fcgi-app|supervisor|executor)/' cli
refuse "the executor has no database, no network, no keys" \
	'#include "lib/(audit|data|db|hook|http|sign|conf|mailbox|party)/' executor
refuse "only lib/db knows MySQL" \
	'#include <mysql' lib/archive lib/audit lib/base lib/conf lib/data lib/engine lib/event lib/hook lib/http \
	lib/json lib/mailbox lib/model lib/party lib/provider lib/sign \
	lib/store lib/wire fcgi-app supervisor executor cli
refuse "SQL text stands in lib/db only" \
	'"(SELECT|INSERT INTO|UPDATE|DELETE FROM) ' lib/archive lib/audit lib/base lib/conf \
	lib/data lib/engine lib/event lib/hook lib/http lib/json lib/mailbox lib/model \
	lib/party lib/provider lib/sign lib/store lib/wire fcgi-app supervisor executor
refuse "includes are written from the root" \
	'#include "[^/"]+"' lib fcgi-app supervisor executor cli
refuse "no unbounded string functions, no shell" \
	'[^a-z_](strcpy|strcat|sprintf|gets|system|popen)\(' \
	lib fcgi-app supervisor executor cli
refuse "memory of small things is taken with x*alloc, of large with mem_array" \
	'[^a-z_](malloc|calloc|realloc|strdup|asprintf)\(' \
	fcgi-app supervisor cli

# Debian's sh ends by a signal without what is to be done at its end.
for script in *.sh conf/*.sh bench/*.sh examples/*.sh examples/*/*.sh \
	tests/*/*.sh; do
	grep -q '^[[:space:]]*trap .* EXIT$' "$script" || continue
	for signal in INT TERM; do
		grep -q "^[[:space:]]*trap 'exit [0-9]*' $signal\$" "$script" &&
			continue
		echo "$script: what it does at its end is not done after $signal"
		bad=1
	done
done

exit $bad
