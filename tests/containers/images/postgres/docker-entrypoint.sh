#!/usr/bin/env bash
# As the official image starts: root hands the folder over and becomes postgres; an empty folder gets a
# cluster, set up by a server that only its socket reaches; data of another major version ends it.
set -Eeo pipefail

case ${1-} in -*) set -- postgres "$@" ;; esac
[ "$1" = postgres ] || exec "$@"

mkdir -p "$PGDATA"
chmod 700 "$PGDATA" || true
if [ "$(id -u)" = 0 ]; then
  find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres '{}' +
  exec gosu postgres "$BASH_SOURCE" "$@"
fi

# Neither initdb nor pg_ctl takes an account without a name.
if ! getent passwd "$(id -u)" > /dev/null; then
  NSS_WRAPPER_PASSWD=$(mktemp) NSS_WRAPPER_GROUP=$(mktemp)
  export NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
  export LD_PRELOAD=$(find /usr/lib -name libnss_wrapper.so | head -n 1)
  echo "postgres:x:$(id -u):$(id -g)::$PGDATA:/bin/false" > "$NSS_WRAPPER_PASSWD"
  echo "postgres:x:$(id -g):" > "$NSS_WRAPPER_GROUP"
fi

if [ -s "$PGDATA/PG_VERSION" ]; then
  exec "$@"
fi
for other in /var/lib/postgresql /var/lib/postgresql/data /var/lib/postgresql/*/docker; do
  if [ -s "$other/PG_VERSION" ]; then
    echo "Error: there is PostgreSQL data of another version in $other" >&2
    exit 1
  fi
done
if [ -z "${POSTGRES_PASSWORD-}" ]; then
  echo "Error: there is no database, and no POSTGRES_PASSWORD to make one with" >&2
  exit 1
fi
: "${POSTGRES_USER:=postgres}"
: "${POSTGRES_DB:=$POSTGRES_USER}"
eval 'initdb --username="$POSTGRES_USER" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") '"${POSTGRES_INITDB_ARGS-}"
printf '\nhost all all all scram-sha-256\n' >> "$PGDATA/pg_hba.conf"
options=$(printf '%q ' "${@:2}" -c listen_addresses= -p 5432)
pg_ctl --pgdata="$PGDATA" --options="$options" --wait start
query=(psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc)
if [ "$POSTGRES_DB" != postgres ]; then
  "${query[@]}" --dbname postgres --set db="$POSTGRES_DB" <<< 'CREATE DATABASE :"db";'
fi
for file in /docker-entrypoint-initdb.d/*; do
  case $file in
    *.sh) . "$file" ;;
    *.sql) "${query[@]}" --dbname "$POSTGRES_DB" --file "$file" ;;
  esac
done
pg_ctl --pgdata="$PGDATA" --mode=fast --wait stop
exec "$@"
