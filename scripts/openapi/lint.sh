#!/usr/bin/env bash
# Lints openapi.yaml. Redocly is heard only when it finds something.
set -euo pipefail
cd "$(dirname "$0")"
code=0
../npm.sh openapi || code=$?
if [ "$code" -eq 3 ]; then
  echo "openapi-lint: SKIPPED, npm is missing"
  exit 0
fi
[ "$code" -eq 0 ] || exit "$code"
report=$(npx --no-install redocly lint ../../openapi.yaml --format=stylish 2>&1) || { echo "$report"; exit 1; }
