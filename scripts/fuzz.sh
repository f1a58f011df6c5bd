#!/usr/bin/env bash
# fuzz.sh TIME runs every fuzz target of the project for that long.
set -euo pipefail
cd "$(dirname "$0")/.."

grep -rlE '^func Fuzz' --include='*_test.go' . | sort | while read -r file; do
  grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | cut -d' ' -f2 | while read -r target; do
    echo "── $target in $(dirname "$file"), $1"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" -fuzzminimizetime 10x "$(dirname "$file")"
  done
done
