#!/usr/bin/env bash
# hosts.sh runs hosts for tests on this machine: each is a network, mount, process
# and hostname namespace of its own with a real sshd, on a network that this machine
# reaches as 198.19.N.0/24 (RFC 2544 keeps 198.18.0.0/15 for tests).
#
#   hosts.sh start [-attached] [HOST ...]   start a fleet: web1-3, proxy1-2, bastion
#   hosts.sh status                         list the fleets and how to log in
#   hosts.sh exec FLEET HOST COMMAND ...    run a command as root on a host
#   hosts.sh stop [FLEET ...]               end these fleets, or all that were started by hand
#
# start prints the fleet's directory: key, known_hosts and ssh_config, and for each host
# HOST/address, HOST/pid of its first process, HOST/log of its start. With -attached the
# hosts end when standard input does: so they never outlive who started them.
set -euo pipefail
export PATH=$PATH:/usr/sbin:/sbin

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
base=/run/turnout-fleets

fail() {
  echo "hosts.sh: $*" >&2
  exit 1
}

# A fleet runs as long as its lock is held: every first process of its hosts has it as
# file descriptor 9.
lock() {
  exec 9>"$base/$1.lock"
  flock "${@:2}" 9
}

# remains removes what a fleet that does not run has left.
remains() {
  ip link delete "fleet$1" 2>/dev/null || true
  rm -rf "${base:?}/$1"
}

# claim takes a number that no fleet has, and sweeps up after those that were killed.
claim() {
  mkdir -p "$base"
  local n
  for n in $(ls "$base" | grep -x '[0-9]*'); do
    if lock "$n" -n; then remains "$n"; fi
  done
  for ((fleet = 0; fleet < 256; fleet++)); do
    if lock "$fleet" -n; then
      dir=$base/$fleet
      remains "$fleet" # whoever held it since is gone as well
      mkdir "$dir"
      return
    fi
  done
  fail "256 fleets run; end them with hosts.sh stop"
}

# first_process prints that of a host, as this machine numbers it.
first_process() {
  local pid
  pid=$(cat "$base/$1/$2/pid" 2>/dev/null) || fail "fleet $1 has no host $2"
  [[ /proc/$pid/fd/9 -ef $base/$1.lock ]] || fail "host $2 of fleet $1 has ended"
  echo "$pid"
}

# spawn starts host.sh in namespaces of its own and leaves its output in $said.
spawn() {
  mkdir -p "$dir/$1/root"
  exec {said}< <(exec setsid env -i PATH="$PATH" unshare --net --mount --propagation private --pid --uts --ipc --fork \
    bash "$here/host.sh" "$dir/$1" <&3 2>"$dir/$1/log")
}

# wire plugs a host's eth0 into the network's bridge.
wire() {
  local lan pid
  lan=$(cat "$dir/lan/pid") pid=$(cat "$dir/$1/pid")
  nsenter -t "$lan" -n ip -batch - <<END
link add $1 master lan type veth peer name eth0 netns $pid
link set $1 up
END
  nsenter -t "$pid" -n ip -batch - <<END
address add $(cat "$dir/$1/address")/24 dev eth0
link set eth0 up
END
}

# gate gives this machine the network's first address. The bridge has a namespace of its
# own, where no firewall of this machine has a say.
gate() {
  nsenter -t "$(cat "$dir/lan/pid")" -n ip -batch - <<END
link add lan type bridge
link set lan up
link add gate master lan type veth peer name fleet$fleet netns $$
link set gate up
END
  ip address add "198.19.$fleet.1/24" dev "fleet$fleet"
  ip link set "fleet$fleet" up
}

# papers writes who is who, and what a client needs.
papers() {
  local host last=10
  ssh-keygen -q -t ed25519 -N "" -C turnout -f "$dir/key"
  echo "127.0.0.1 localhost" >"$dir/hosts"
  for host; do
    [[ $host =~ ^[a-z][a-z0-9-]{0,11}$ && $host != lan && $host != gate ]] || fail "$host can't be a host's name"
    mkdir "$dir/$host"
    echo "198.19.$fleet.$last" >"$dir/$host/address"
    echo "198.19.$fleet.$last $host" >>"$dir/hosts"
    printf 'Host %s\n  HostName %s\n' "$host" "198.19.$fleet.$((last++))" >>"$dir/ssh_config"
  done
  cat >>"$dir/ssh_config" <<END
Host *
  User deploy
  IdentityFile $dir/key
  IdentitiesOnly yes
  UserKnownHostsFile $dir/known_hosts
END
}

start() {
  [[ $(id -u) == 0 ]] || fail "namespaces need root"
  claim
  trap 'end "$fleet"' EXIT
  if [[ ${1:-} == -attached ]]; then
    exec 3<&0
    shift
  else
    mkfifo "$dir/endless"
    exec 3<>"$dir/endless" # who reads it could write, so it never ends
  fi
  (($#)) || set -- web1 web2 web3 proxy1 proxy2 bastion
  papers "$@"

  local host line
  local -A out
  for host in lan "$@"; do
    spawn "$host"
    out[$host]=$said
  done
  for host in lan "$@"; do
    read -r line <&"${out[$host]}" || fail "$host does not start: $(cat "$dir/$host/log")"
  done
  gate
  for host in "$@"; do
    wire "$host"
    read -r line <&"${out[$host]}" || fail "$host does not start: $(cat "$dir/$host/log")"
    echo "$(cat "$dir/$host/address") $line" >>"$dir/known_hosts"
  done
  trap - EXIT
  echo "$dir"
}

# end kills a fleet's hosts: the kernel ends all processes of a namespace with its first.
end() {
  exec 9>&-
  local host
  for host in "$base/$1"/*/pid; do
    host=${host%/pid}
    kill -KILL "$(first_process "$1" "${host##*/}" 2>/dev/null)" 2>/dev/null || true
  done
  lock "$1" -w 20 || fail "the processes of fleet $1 do not end"
  remains "$1"
}

running() {
  local n
  for n in $(ls "$base" 2>/dev/null | grep -x '[0-9]*' | sort -n); do
    flock -n "$base/$n.lock" true || echo "$n"
  done
}

stop() {
  local n
  if ((!$#)); then
    for n in $(running); do
      [[ ! -p $base/$n/endless ]] || set -- "$@" "$n"
    done
  fi
  for n; do end "$n"; done
}

status() {
  local n
  for n in $(running); do
    echo "fleet $n: ssh -F $base/$n/ssh_config HOST"
    sed '1d;s/\(.*\) \(.*\)/  \2 \1/' "$base/$n/hosts"
  done
}

on() {
  local pid
  pid=$(first_process "$1" "$2")
  exec nsenter -t "$pid" -a -- "${@:3}"
}

case ${1:-} in
  start) start "${@:2}" ;;
  stop) stop "${@:2}" ;;
  status) status ;;
  exec) on "${@:2}" ;;
  *)
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
