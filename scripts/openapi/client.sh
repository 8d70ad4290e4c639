#!/usr/bin/env bash
# Generates a TypeScript client from an OpenAPI document, compiles smoke.ts with it and runs that against the server at
# PARLEY_URL with the key PARLEY_KEY. Without npm it ends with 3.
#   PARLEY_URL=… PARLEY_KEY=… scripts/openapi/client.sh openapi.yaml
set -euo pipefail
document=$(realpath "$1")
cd "$(dirname "$0")"
../npm.sh openapi
build=$(mktemp -d "$PWD/build-XXXXXX") # here, where the compiler and node find the modules
trap 'rm -rf "$build"' EXIT
(cd "$build" && npx --no-install openapi-typescript "$document" -o parley.ts >/dev/null) # away from redocly.yaml, which it would read
cp smoke.ts "$build"
echo '{"extends": "../tsconfig.json", "files": ["smoke.ts"]}' >"$build/tsconfig.json"
npx --no-install tsc -p "$build"
node "$build/smoke.js"
