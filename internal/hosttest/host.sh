#!/usr/bin/env bash
# host.sh DIR is the first process of a host, in its namespaces: it gives the host a
# root of its own over this machine's, starts sshd and waits until standard input ends.
# It says a line when its network may be wired, and its public host key when sshd is
# there. The kernel ends everything else on the host with it.
#
# Everything that is written on a host stays in memory and is gone with it.
set -euo pipefail
dir=$1
name=${dir##*/}
root=$dir/root

# The number that the machine sees: this /proc is still the machine's own.
read -r pid _ </proc/self/stat
echo "$pid" >"$dir/pid"
ip link set lo up
echo ready

# wait_for_end also buries the processes that have lost their parents: bash does that
# for any.
wait_for_end() {
  exec >/dev/null 2>&1
  while read -r _; do :; done
  exit
}

# own_root makes the host's root: this machine's below, the host's changes above, and
# nothing of this machine where programs keep what they work on.
own_root() {
  mount -t tmpfs -o mode=755 tmpfs "$root"
  mkdir "$root"/{upper,work,merged}
  mount -t overlay -o "lowerdir=/,upperdir=$root/upper,workdir=$root/work" overlay "$root/merged"
  cd "$root/merged"
  mount -t proc proc proc
  mount -t sysfs sysfs sys
  mount --rbind /dev dev
  local own
  for own in run srv root home var/lib/turnout etc/turnout; do
    mkdir -p "$own"
    mount -t tmpfs -o mode=755 tmpfs "$own"
  done
  mount -t tmpfs -o mode=1777 tmpfs tmp
  mkdir -p var/tmp
  mount -t tmpfs -o mode=1777 tmpfs var/tmp
  cp "$dir/../hosts" etc/hosts
  cp "$dir/../key.pub" tmp/key.pub
}

own_users() {
  sed -i /^deploy:/d etc/passwd etc/group etc/shadow
  echo 'deploy:x:64242:64242::/home/deploy:/bin/sh' >>etc/passwd
  echo 'deploy:x:64242:' >>etc/group
  echo 'deploy:*:19000:0:99999:7:::' >>etc/shadow
  mkdir -p home/deploy/.ssh etc/sudoers.d
  mv tmp/key.pub home/deploy/.ssh/authorized_keys
  chown -R 64242:64242 home/deploy
  chmod -R go= home/deploy
  echo 'deploy ALL=(ALL) NOPASSWD: ALL' >etc/sudoers.d/deploy
  chmod 440 etc/sudoers.d/deploy
}

own_sshd() {
  mkdir -p run/sshd
  rm -f etc/ssh/ssh_host_* etc/ssh/sshd_config.d/*
  ssh-keygen -q -t ed25519 -N "" -C "$name" -f etc/ssh/ssh_host_ed25519_key
  cat >etc/ssh/sshd_config <<END
HostKey /etc/ssh/ssh_host_ed25519_key
PidFile /run/sshd.pid
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
LogLevel VERBOSE
SetEnv GORACE=atexit_sleep_ms=0
END
}

if [[ $name == lan ]]; then
  wait_for_end
fi
hostname "$name"
own_root
own_users
own_sshd
mkdir old
pivot_root . old
umount -l /old
rmdir /old
/usr/sbin/sshd -E /run/sshd.log 9>&-
while [[ ! -s /run/sshd.pid ]]; do sleep 0.01; done # it listens before it writes that
cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub
wait_for_end
