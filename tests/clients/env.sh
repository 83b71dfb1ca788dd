#!/bin/sh
# The virtual environment with the classic client: made once, made again
# when requirements.txt has changed.
#
# usage: tests/clients/env.sh FOLDER
set -eu

env=$1
here=$(cd "$(dirname "$0")" && pwd)
want=$here/requirements.txt
python=${PYTHON:-python3}

if cmp -s "$want" "$env/installed.txt"; then
	exit 0
fi
rm -rf "$env"
mkdir -p "$env"
log=$env/install.log
if "$python" -m venv "$env" >"$log" 2>&1 &&
	"$env/bin/python3" -m pip --disable-pip-version-check \
		--retries 10 --timeout 60 install \
		--no-deps -r "$want" >>"$log" 2>&1 &&
	"$env/bin/flow" --help >>"$log" 2>&1; then
	cp "$want" "$env/installed.txt"
	exit 0
fi
cat >&2 <<END
================================================================
The classic client could not be installed, so nothing here shows
that it works with this build.  The end of $log:
================================================================
END
tail -n 15 "$log" >&2
exit 1
