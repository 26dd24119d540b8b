#!/bin/bash
# A machine of its own whose disk begins as a copy of this one: systemd as process 1 of new
# namespaces, on an overlay of /. The argument is a folder for all that it writes; how the machine
# ends is up to whoever kills it.
set -euo pipefail
if [ -z "${inside:-}" ]; then
  # What systemd takes for the root of control groups is a group of this machine's.
  groups=$(awk '$3 == "cgroup2" {print $2; exit}' /proc/mounts)
  mkdir "$groups/${1//\//-}"
  echo $$ >"$groups/${1//\//-}/cgroup.procs"
  inside=1 exec unshare --mount --pid --uts --ipc --cgroup --net --fork --kill-child "$0" "$1"
fi
root="$1/root"
mkdir -p "$1/written" "$1/work" "$root"
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/written,workdir=$1/work" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 dev "$root/dev"
mkdir -p "$root/dev/pts" "$root/dev/shm"
for device in null zero full random urandom tty; do
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for stream in 0:stdin 1:stdout 2:stderr; do
  ln -s "/proc/self/fd/${stream%:*}" "$root/dev/${stream#*:}"
done
mount -t tmpfs shm "$root/dev/shm"
mount -t tmpfs -o mode=755 run "$root/run"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
ip link set lo up
hostname fresh
# Hardware and network are the real machine's, and so are services that happen to be installed.
mkdir -p "$root/etc/systemd/system"
for unit in systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket \
  systemd-timesyncd.service systemd-sysctl.service systemd-modules-load.service \
  systemd-remount-fs.service systemd-networkd.service systemd-resolved.service \
  networking.service ifupdown.service console-getty.service getty.target \
  redis-server.service pgbouncer.service; do
  ln -sfn /dev/null "$root/etc/systemd/system/$unit"
done
cd "$root"
# It may not change what the real machine has only once: clock, kernel, devices.
exec env -i container=fresh PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
  setpriv --bounding-set -sys_time,-sys_boot,-sys_module,-sys_rawio,-audit_control,-mac_admin \
  chroot . /lib/systemd/systemd --log-target=console --show-status=0 systemd.unit=multi-user.target
