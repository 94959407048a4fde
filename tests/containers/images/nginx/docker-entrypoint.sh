#!/bin/sh
set -e
if [ "$1" = nginx ]; then
  for step in /docker-entrypoint.d/*.sh; do
    "$step"
  done
fi
exec "$@"
