#!/usr/bin/env bash
# As the official image starts: root hands the folder over and becomes rabbitmq.
set -euo pipefail
if [[ $1 == rabbitmq* ]] && [ "$(id -u)" = 0 ]; then
  [ "$1" != rabbitmq-server ] || find /var/lib/rabbitmq ! -user rabbitmq -exec chown rabbitmq '{}' +
  exec gosu rabbitmq "$BASH_SOURCE" "$@"
fi
# A host name with dots makes a long node name.
if [ -z "${RABBITMQ_USE_LONGNAME-}" ] && [ "$(hostname)" != "$(hostname -s)" ]; then
  export RABBITMQ_USE_LONGNAME=true
fi
exec "$@"
