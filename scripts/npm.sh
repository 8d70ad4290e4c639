#!/usr/bin/env bash
# Installs the pinned tools of a folder beside this script (npm.sh openapi) when they are missing or older than its
# lock file. Without npm it says so and ends with 3, or with 1 in CI.
set -euo pipefail
cd "$(dirname "$0")/$1"
if ! command -v npm >/dev/null; then
  echo "npm is missing: install Node.js 20 or newer, or run make deps" >&2
  [ "${CI:-}" = true ] && exit 1
  exit 3
fi
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --silent
  touch node_modules/.package-lock.json
fi
