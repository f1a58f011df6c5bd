#!/usr/bin/env bash
# recording.sh records docs/demo.svg again: make demo on a terminal, as it happens.
# With its argument: another file.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/need.sh termtosvg nginx git bash curl
make -s build
go build -o bin/demo ./examples/demo

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# The recorder ends when nobody can type any more: this input stays open.
mkfifo "$tmp/in"
exec {input}<>"$tmp/in"
# Frames of 0.2 s are enough to read, and keep the file small.
termtosvg "$tmp/demo.svg" --screen-geometry 100x30 --template window_frame --loop-delay 6000 \
  --min-frame-duration 200 --max-frame-duration 3000 --command "bin/demo -reports $tmp/reports" <&"$input"
size=$(stat -c %s "$tmp/demo.svg")
((size < 500000)) || { echo "recording.sh: $size bytes are too many to show on a page" >&2; exit 1; }
cp "$tmp/demo.svg" "${1:-docs/demo.svg}"
