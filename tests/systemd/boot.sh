#!/bin/sh
# The first process of the namespaces that run.sh makes: an own root, then
# systemd, which starts check.py as a service and powers off after it.
set -eu
: "${top:?}" "${work:?}" "${BUILD:?}"

mount --make-rprivate /
m=$(mktemp -d)
mount -t tmpfs -o mode=755 tmpfs "$m"
mkdir "$m/up" "$m/work" "$m/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$m/up,workdir=$m/work" "$m/root"
cd "$m/root"
# What was tested, and nothing else, stands on the disk afterwards.
mount --bind "$work" ".$work"
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t tmpfs -o mode=755 tmpfs sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
# Made, not bound: what happens to these must not happen to this machine's.
while read -r name major minor; do
	mknod -m 666 "dev/$name" c "$major" "$minor"
done <<'NODES'
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
NODES
ln -s /proc/self/fd dev/fd
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs var/tmp

# Nothing of this machine's own services, disks and databases.
: >etc/fstab
echo uninitialized >etc/machine-id
rm -rf etc/systemd/system/*.wants etc/systemd/system/*.requires var/lib/mysql
mkdir -p var/lib/mysql
cat >etc/systemd/system/sluice-check.service <<UNIT
[Unit]
After=mariadb.service systemd-tmpfiles-setup.service
Requires=mariadb.service
SuccessAction=exit-force
FailureAction=exit-force

[Service]
Type=oneshot
Environment=BUILD=$BUILD WORK=$work PYTHONDONTWRITEBYTECODE=1
Environment=PYTHONPATH=$top/tests/integration PATH=/usr/sbin:/usr/bin:/sbin:/bin
ExecStart=/usr/bin/python3 $top/tests/systemd/check.py
StandardOutput=file:$work/output.log
StandardError=inherit
TimeoutStartSec=800
UNIT
mkdir -p etc/systemd/system/mariadb.service.d
cat >etc/systemd/system/mariadb.service.d/fresh.conf <<'UNIT'
[Service]
PermissionsStartOnly=true
ExecStartPre=
ExecStartPre=/usr/bin/install -d -o mysql -g mysql /run/mysqld /var/lib/mysql
ExecStartPre=/usr/bin/mariadb-install-db --user=mysql --force --skip-test-db
ExecStartPost=
UNIT
mkdir old
pivot_root . old
cd /
umount -l /old
export container=sluice-check
exec /lib/systemd/systemd --unit=sluice-check.service --log-target=console \
	--show-status=no
