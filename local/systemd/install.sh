#!/bin/sh
# `make install-service`, as root: installs the service for systemd from this checkout, or upgrades
# it. Safe to repeat. docs/on_premises.md lists the paths.
set -eu
umask 022
cd "$(dirname "$0")/../.."

name=external-storage-sync
python=${PYTHON:-python3}
home=/opt/$name
settings=/etc/$name/settings.env
state=/var/lib/$name
units=/etc/systemd/system
ready=http://127.0.0.1:27003/readyz

fail() {
  echo "$1" >&2
  exit 1
}

[ "$(id -u)" -eq 0 ] || fail "make install-service: needs root (sudo make install-service)"
[ -d /run/systemd/system ] || fail "make install-service: systemd does not run on this machine"
[ -x /usr/sbin/nginx ] || fail "make install-service: nginx is not installed (apt-get install nginx)"
"$python" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2> /dev/null ||
  fail "make install-service: $python must be Python 3.11 or newer with venv (apt-get install python3-venv)"

install -d /etc/sysusers.d
install -m 644 local/systemd/$name.sysusers.conf /etc/sysusers.d/$name.conf
systemd-sysusers /etc/sysusers.d/$name.conf
install -d -m 750 -o $name -g $name $state
install -d -m 750 -g $name /etc/$name
if [ ! -e $settings ]; then
  (
    umask 027
    echo "# The settings of external-storage-sync, see README.md. After a change:"
    echo "# systemctl restart external-storage-sync.target"
    sed -e 1,2d -e "s|^#DATA_DIR=.*|DATA_DIR=$state|" -e 's|^#STORAGE_PATH=.*|#STORAGE_PATH=|' \
      .env.example
  ) > $settings
  chgrp $name $settings
  chmod 640 $settings
fi

# Each release has a folder of its own, which running processes use until they are restarted. If the
# current release is the same, it is used again, so that the previous one is kept for going back.
current=$(readlink $home/current || true)
release=$home/releases/$(date -u +%Y%m%dT%H%M%SZ)
install -d "$release"
trap 'rm -rf "$release"' EXIT
trap 'exit 1' INT TERM
tar -c --exclude=__pycache__ .env.example LICENSE functions local requirements/run.txt shared sync \
  template.yaml | tar -x -C "$release" --no-same-owner --no-same-permissions
chmod -R u=rwX,go=rX "$release"
"$python" -VV > "$release/.python"
if [ -n "$current" ] && diff -rq -x .env -x .venv -x __pycache__ "$release" "$current" > /dev/null; then
  rm -rf "$release"
  trap - EXIT
  release=$current
else
  echo "installing into $release"
  "$python" -m venv "$release/.venv"
  "$release/.venv/bin/python" -m pip install --quiet --disable-pip-version-check --use-pep517 \
    --require-hashes -r requirements/run.txt
  touch "$release/.venv/.run"
  "$release/.venv/bin/python" -m compileall -q "$release/functions" "$release/local" "$release/shared"
  ln -s $settings "$release/.env"
fi

# Run a command as the service does: with its account and settings, without root's variables.
as_service() {
  (cd "$release" && exec runuser -u $name -- env -i PATH="$PATH" HOME=$state LANG=C.UTF-8 \
    PYTHONDONTWRITEBYTECODE=1 "$@")
}
value() {
  as_service "$release/.venv/bin/python" -m local.systemd.unit_settings "$1"
}

storage=$(value storage) || fail "Set it in $settings, then run make install-service again"
triggers=$(value triggers)
[ -e "$storage" ] || install -d -m 2750 -o $name -g $name "$storage"
as_service test -w "$storage" -a -x "$storage" || fail "STORAGE_PATH: $name cannot write $storage"
as_service "$release/sync" migrate || fail "The migration failed; the service was not changed"

install -d $units/$name-.service.d
install -m 644 local/systemd/$name*.service local/systemd/$name.target $units
install -m 644 local/systemd/$name-.service.d/*.conf $units/$name-.service.d
value drop-in > $units/$name-.service.d/20-storage.conf
# Older versions of systemd have no growing restart delay.
rm -f $units/$name-.service.d/30-back-off.conf
if [ "$(systemctl --version | sed -n '1s/^systemd \([0-9]*\).*/\1/p')" -ge 254 ]; then
  printf '[Service]\nRestartSteps=5\nRestartMaxDelaySec=30\n' > $units/$name-.service.d/30-back-off.conf
fi
cat > /usr/local/bin/$name << EOF
#!/bin/sh
# The command line of the installed service, under its account.
[ "\$(id -u)" -ne 0 ] || exec runuser -u $name -- $home/current/sync "\$@"
exec $home/current/sync "\$@"
EOF
chmod 755 /usr/local/bin/$name

trap - EXIT
if [ "$release" != "$current" ]; then
  ln -sfn "$release" $home/current
  for other in "$home"/releases/*; do
    [ "$other" = "$release" ] || [ "$other" = "$current" ] || rm -rf "$other"
  done
fi

systemctl daemon-reload
wanted=
while [ "$triggers" -gt 0 ]; do
  wanted="$name-trigger@$triggers.service $wanted"
  triggers=$((triggers - 1))
done
for link in $units/$name.target.wants/$name-trigger@*.service; do
  unit=${link##*/}
  case " $wanted" in
    *" $unit "*) ;;
    *) [ ! -L "$link" ] || systemctl --quiet disable --now "$unit" ;;
  esac
done
# shellcheck disable=SC2086 # a list
systemctl --quiet enable $name.target $name-http.service $name-nginx.service \
  $name-scheduler.service $wanted

# One after another: while one restarts, the others keep running.
for unit in $name-http.service $name-nginx.service $wanted $name-scheduler.service; do
  systemctl restart "$unit"
  echo "$unit: $(systemctl is-active "$unit" || true)"
done
systemctl start $name.target
for _ in $(seq 60); do
  if "$release/.venv/bin/python" -c "import urllib.request as u; u.urlopen('$ready', timeout=4)" \
    2> /dev/null; then
    echo "external-storage-sync answers on $(value url)"
    exit 0
  fi
  sleep 1
done
journalctl --unit="$name-*" --lines=5 --no-pager >&2 || true
fail "external-storage-sync does not answer; see journalctl --unit='$name-*'"
