#!/usr/bin/env bash
# Installs what the tests need beyond Go: a PostgreSQL server on 127.0.0.1:5432, Chromium, flite and PocketSphinx
# for the spoken tests, and Node.js with npm for the tools around the OpenAPI document (a Node.js that is there is kept).
# On another system than Debian it says what is missing instead.
set -euo pipefail

missing=()
command -v chromium >/dev/null || missing+=(chromium)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
command -v flite >/dev/null || missing+=(flite)
command -v pocketsphinx_continuous >/dev/null || missing+=(pocketsphinx)
[ -d /usr/share/pocketsphinx/model/en-us/en-us ] || missing+=(pocketsphinx-en-us)
(exec 3<>/dev/tcp/127.0.0.1/5432) 2>/dev/null || missing+=(postgresql)
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null || [ "$(id -u)" -ne 0 ]; then
  echo "Missing: ${missing[*]}. Install them with your system's packages; PostgreSQL must listen on 127.0.0.1:5432" \
    "and let the user of PGUSER (default: root) in without a password." >&2
  [ "${CI:-}" = true ] && exit 1
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq || true
apt-get install -y -qq "${missing[@]}" >/dev/null
if [[ " ${missing[*]} " == *" postgresql "* ]]; then
  version=$(ls /etc/postgresql | sort -V | tail -1)
  sed -i -E 's/^(host +all +all +127\.0\.0\.1\/32 +).*/\1trust/' "/etc/postgresql/$version/main/pg_hba.conf"
  pg_ctlcluster --skip-systemctl-redirect "$version" main restart
  su postgres -c "createuser --superuser root" 2>/dev/null || true
fi
