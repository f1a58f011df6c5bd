#!/usr/bin/env bash
# need.sh PACKAGE ... installs those of the system's packages that are missing,
# and says so. Debian and Ubuntu.
set -euo pipefail

missing=()
for package in "$@"; do
  # nginx comes in several flavours; any of them will do.
  case $package in
    nginx) PATH=$PATH:/usr/sbin:/sbin command -v nginx >/dev/null && continue ;;
    haproxy) PATH=$PATH:/usr/sbin:/sbin command -v haproxy >/dev/null && continue ;;
    gcc | git | curl | bash | make | unshare | node | npm | python3) command -v "$package" >/dev/null && continue ;;
    docker-compose) docker compose version >/dev/null 2>&1 && continue ;;&
    *) dpkg -s "$package" >/dev/null 2>&1 && continue ;;
  esac
  [[ $package == unshare ]] && package=util-linux
  [[ $package == node ]] && package=nodejs
  missing+=("$package")
done
((${#missing[@]})) || exit 0

if ! command -v apt-get >/dev/null; then
  echo "need.sh: please install ${missing[*]}: this is no Debian or Ubuntu" >&2
  exit 1
fi
sudo=
if [[ $(id -u) != 0 ]]; then
  sudo=sudo
  command -v sudo >/dev/null || { echo "need.sh: please install ${missing[*]} as root" >&2; exit 1; }
fi
echo "Installing ${missing[*]} from the system's packages." >&2

# A package that starts a service would take port 80 on this machine: keep the
# services it brings from starting, unless somebody has decided on that already.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
  $sudo chmod 755 "$policy"
  trap '$sudo rm -f "$policy"' EXIT
fi
$sudo apt-get update -qq
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
