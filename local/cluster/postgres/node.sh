#!/bin/sh
# One PostgreSQL of the cluster: `node monitor`, or `node NUMBER` for one that keeps the ledger. It is
# set up at its first start, a second one as the standby of the first; then it runs until it is stopped.
set -eu
mkdir -p "$XDG_CONFIG_HOME" "$XDG_DATA_HOME"
done=/var/lib/postgresql/cluster/set-up

if [ "$1" = monitor ]; then
  [ -e "$done" ] || pg_autoctl create monitor --hostname "$(hostname)" --skip-pg-hba --no-ssl
else
  [ -e "$done" ] || pg_autoctl create postgres --name "postgres-$1" --hostname "$(hostname)" \
    --dbname sync --monitor "$MONITOR_URL" --skip-pg-hba --no-ssl
  pg_autoctl config set timeout.network_partition_timeout 3 > /dev/null
fi
touch "$done"

# The service's own account, which is no superuser, with the password of this installation.
account() {
  psql --quiet --no-psqlrc --dbname sync --set ON_ERROR_STOP=1 --set password="$POSTGRES_PASSWORD" << 'SQL'
SELECT pg_is_in_recovery() AS standby \gset
\if :standby
  \quit
\endif
SELECT 'CREATE ROLE sync LOGIN' WHERE to_regrole('sync') IS NULL \gexec
ALTER ROLE sync PASSWORD :'password';
ALTER DATABASE sync OWNER TO sync;
SQL
}
if [ "$1" != monitor ]; then
  (until account 2> /dev/null; do sleep 1; done) &
fi
exec pg_autoctl run
