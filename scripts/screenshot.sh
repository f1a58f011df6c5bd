#!/usr/bin/env bash
# screenshot.sh takes the pictures of docs/report.md again: the page of a recorded
# run in light and of another one in dark. With a folder as its argument it takes
# every run there is instead, in both themes, on a wide screen and on a phone,
# from top to bottom, to look at.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/need.sh chromium fonts-dejavu-core

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
CGO_ENABLED=0 go build -o "$tmp/turnout" ./cmd/turnout

# shoot RUN light|dark WIDTH,HEIGHT FILE
shoot() {
  local page=$tmp/$1.html scheme=1
  [[ $2 == dark ]] && scheme=0
  "$tmp/turnout" report -out "$page" "testdata/report/runs/$1" >/dev/null
  chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
    --disable-background-networking --disable-component-update --disable-sync --hide-scrollbars \
    --user-data-dir="$tmp/profile" --blink-settings=preferredColorScheme="$scheme" \
    --window-size="$3" --screenshot="$4" "file://$page" >"$tmp/chromium.log" 2>&1 || { cat "$tmp/chromium.log" >&2; exit 1; }
  echo "$4"
}

if [[ $# -gt 0 ]]; then
  mkdir -p "$1"
  for run in testdata/report/runs/*/; do
    run=$(basename "$run")
    for theme in light dark; do
      shoot "$run" "$theme" 1280,4000 "$(realpath "$1")/$run-$theme.png"
      shoot "$run" "$theme" 390,6000 "$(realpath "$1")/$run-$theme-phone.png"
    done
  done
  exit 0
fi
shoot release light 1060,960 "$PWD/docs/report-light.png"
shoot rolled_back dark 1060,960 "$PWD/docs/report-dark.png"
