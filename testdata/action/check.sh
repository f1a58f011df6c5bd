#!/usr/bin/env bash
# Checks the outputs of the self-test, given as environment variables, and the
# report that they name.
set -euo pipefail

expect() { # NAME WANT
  [[ ${!1} == "$2" ]] || { echo "output $1 is '${!1}', not '$2'" >&2; exit 1; }
}
expect OUTCOME succeeded
expect ENVIRONMENT shop
expect ACTIVE_SLOT green
expect ROLLED_BACK false
expect CHANGED true
[[ -n $RELEASE ]] || { echo "output RELEASE is empty" >&2; exit 1; }

for part in '| # | stage | type | outcome |' '```mermaid' 'flowchart LR' 'gantt' ' requests, 0 failed, p99 ' "green ($RELEASE)"; do
  grep -qF -- "$part" "$REPORT" || { echo "$REPORT lacks: $part" >&2; exit 1; }
done
echo "selftest: outputs and report are as they should be"
