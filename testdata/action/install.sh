#!/usr/bin/env bash
# Puts a running nginx and the command "slot" into the action's container.
set -euo pipefail

printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d # the package must not start a server by itself
chmod +x /usr/sbin/policy-rc.d
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx >/dev/null
rm -f /etc/nginx/sites-enabled/default
nginx
until [[ -s /run/nginx.pid ]]; do sleep 0.05; done # the command ends before its daemon is known by it

cp slot.conf /etc/slot.conf
cat >/usr/local/bin/slot <<'SCRIPT'
#!/bin/sh
set -eu
sed -e "s/SLOT/$1/g" -e "s/PORT/$2/g" /etc/slot.conf >"/etc/slot-$1.conf"
if [ -e "/run/shop-$1.pid" ]; then
  nginx -c "/etc/slot-$1.conf" -s stop
  while [ -e "/run/shop-$1.pid" ]; do sleep 0.05; done
fi
exec nginx -c "/etc/slot-$1.conf"
SCRIPT
chmod +x /usr/local/bin/slot
