#!/bin/sh
# `make uninstall-service`, as root: removes the service, but keeps everything that cannot be recreated.
set -eu

name=external-storage-sync
units=/etc/systemd/system

if [ "$(id -u)" -ne 0 ]; then
  echo "make uninstall-service: needs root (sudo make uninstall-service)" >&2
  exit 1
fi
for path in $units/$name.target $units/$name.target.wants/$name-*.service; do
  [ ! -e "$path" ] || systemctl --quiet disable --now "${path##*/}"
done
systemctl stop "$name-*.service"
rm -rf $units/$name-*.service $units/$name.target $units/$name.target.wants $units/$name-.service.d \
  /opt/$name /usr/local/bin/$name /etc/sysusers.d/$name.conf
systemctl daemon-reload
systemctl reset-failed "$name-*" 2> /dev/null || true
echo "external-storage-sync is removed. Kept: the files, the database, the queue, /etc/$name,"
echo "/var/lib/$name and the account $name."
