#!/bin/sh
# Install the Debian packages listed in the given files, if any is missing.
#
# usage: conf/install-packages.sh FILE...
set -eu

wanted=$(cat "$@" | sed -e 's/#.*//' -e '/^[[:space:]]*$/d')
missing=
for package in $wanted; do
	state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
	[ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "only root can install these missing packages:$missing" >&2
		exit 1
	fi
	as_root="sudo"
fi

echo "installing:$missing" >&2
log=$(mktemp)
made_policy=
tidy() {
	rm -f "$log"
	[ -z "$made_policy" ] || $as_root rm -f "$made_policy"
}
trap tidy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The packages must not start servers: ours run on private sockets.  A policy
# file says so while we install, unless the machine has one of its own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	made_policy=$policy
	printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
	$as_root chmod 755 "$policy"
fi
# shellcheck disable=SC2086  # $missing is a list of words
if ! { $as_root apt-get -q update &&
	$as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -y --no-install-recommends install $missing; } \
	>"$log" 2>&1; then
	cat "$log" >&2
	exit 1
fi
