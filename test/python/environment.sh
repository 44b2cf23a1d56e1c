#!/bin/sh
# environment.sh WHO LOCK FOLDER: makes FOLDER/venv hold exactly what LOCK pins by hash; does nothing where it already does.
# Only built packages are taken, so that none runs code at install time. WHO is the make target that asks.
set -eu
who=$1
lock=$2
folder=$3
stamp=$folder/installed
wanted=$(cksum <"$lock")
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && [ -x "$folder/venv/bin/python" ]; then exit 0; fi

python=
for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
  if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "$who: Python 3.11 or newer with the venv module is needed; found: $(python3 --version 2>&1 || echo none)" >&2
  echo "$who: install it (Debian and Ubuntu: python3.11 python3.11-venv) and run make $who again" >&2
  exit 1
fi
rm -rf "$folder"
mkdir -p "$folder"
echo "$who: $lock into $folder (up to a minute the first time)"
"$python" -m venv "$folder/venv"
"$folder/venv/bin/pip" install --disable-pip-version-check --quiet --no-deps --only-binary :all: --require-hashes --requirement "$lock"
"$folder/venv/bin/pip" check --disable-pip-version-check >/dev/null || {
  "$folder/venv/bin/pip" check --disable-pip-version-check >&2
  exit 1
}
printf '%s' "$wanted" >"$stamp"
