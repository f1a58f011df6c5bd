#!/usr/bin/env bash
# engine.sh makes sure that a Docker engine answers and prints the export line to
# eval, if one is needed. It installs and starts docker.io where there is none,
# and says so.
set -euo pipefail
cd "$(dirname "$0")/.."

answers() { docker info >/dev/null 2>&1; }

if command -v docker >/dev/null && answers; then
  exit 0
fi
# A workspace may bring an engine of its own, with base images.
own=${CONTAINER_ENGINE:-../shared/tools/container-engine}
if [[ -x $own ]]; then
  "$own" start >&2
  "$own" env
  exit 0
fi
scripts/need.sh docker.io
answers && exit 0
echo "Starting the Docker engine." >&2
sudo=
[[ $(id -u) == 0 ]] || sudo=sudo
if [[ -d /run/systemd/system ]]; then
  $sudo systemctl start docker
else
  $sudo sh -c 'setsid dockerd >/var/log/dockerd.log 2>&1 </dev/null &'
fi
for _ in $(seq 60); do
  answers && exit 0
  sleep 0.5
done
echo "engine.sh: the Docker engine does not answer; does this user belong to the group docker?" >&2
exit 1
