#!/usr/bin/env bash
# systemd.sh start|stop NAME runs on a host and starts systemd there: the real one,
# for system services, with processes and control groups of its own. It starts no
# unit by itself. systemctl is then what it is on any server.
set -euo pipefail

type=cgroup2 options=rw group=turnout-$2
if grep -q :name=systemd: /proc/self/cgroup; then
  type=cgroup options=none,name=systemd # a machine with the older hierarchies
fi
top=/run/cgroup
mkdir -p "$top"
mount -t "$type" -o "$options" cgroup "$top"

stop() {
  pkill -KILL -o -x systemd # with it, the kernel ends all that it started
  while pgrep -x systemd >/dev/null; do sleep 0.01; done
  local tries
  for tries in {1..200}; do
    find "$top/$group" -depth -type d -exec rmdir {} + 2>/dev/null && return
    sleep 0.01
  done
}

start() {
  mkdir "$top/$group"
  echo $$ >"$top/$group/cgroup.procs"
  umount "$top"
  # Every service asks for these. Their services are for the machine itself: they load
  # modules, set kernel parameters, empty /tmp. So there is no journal either.
  rm -rf {/lib,/etc}/systemd/system/*.target.wants
  local target
  for target in sysinit basic nothing; do
    printf '[Unit]\nDefaultDependencies=no\n' >/etc/systemd/system/$target.target
  done
  # systemd knows a client by its process, which it must be able to see.
  cat >/usr/local/bin/systemctl <<'END'
#!/bin/sh
exec nsenter -t "$(pgrep -o -x systemd)" -p -- /usr/bin/systemctl "$@"
END
  chmod 755 /usr/local/bin/systemctl
  container=hosttest setsid unshare --cgroup --uts --pid --fork --mount-proc bash -c '
    if [[ $1 == cgroup ]]; then
      mount -t tmpfs tmpfs /sys/fs/cgroup
      mkdir /sys/fs/cgroup/systemd
      mount -t cgroup -o "$2" cgroup /sys/fs/cgroup/systemd
    else
      mount -t cgroup2 cgroup /sys/fs/cgroup
    fi
    for dir in /sys /proc/sys; do
      mount --bind "$dir" "$dir"
      mount -o remount,bind,ro "$dir"
    done
    exec /lib/systemd/systemd --system --unit=nothing.target --log-target=console --show-status=no' \
    - "$type" "$options" >/run/systemd.log 2>&1 </dev/null &
  local tries
  for tries in {1..500}; do
    [[ $(systemctl is-system-running 2>/dev/null) != running ]] || return 0
    sleep 0.01
  done
  cat /run/systemd.log >&2
  return 1
}

"$1"
