#!/bin/sh
# Docker Compose on local/docker-compose.yml, with what that file needs from this machine: secrets
# that are made once and kept under DATA_DIR, the folder for the files and the account that owns
# it. There is no default password anywhere.
set -eu
cd "$(dirname "$0")/.."

blank='[[:space:]]*'

# The value of a variable: from the environment, otherwise from the file .env, read as the other
# commands read it: quotes and a comment behind the value are no part of it, a dollar is.
setting() {
  value=$(printenv "$1" || true)
  if [ -z "$value" ] && [ -f .env ]; then
    value=$(sed -n "s/^$blank\(export \)\{0,1\}$blank$1$blank=$blank//p" .env | tail -n 1 | sed \
      -e "s/^'\([^']*\)'.*/\1/" -e t -e 's/^"\([^"]*\)".*/\1/' -e t \
      -e 's/[[:space:]]#.*//' -e 's/[[:space:]]*$//')
  fi
  printf '%s' "$value"
}

# A secret kept in a file that only its owner may read.
kept() {
  if [ ! -s "$1" ]; then
    (umask 077 && od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' > "$1.new" && mv "$1.new" "$1")
  fi
  cat "$1"
}

absolute() {
  case $1 in
    /*) printf '%s' "$1" ;;
    *) printf '%s/%s' "$PWD" "$1" ;;
  esac
}

# Compose reads .env too, but would take $8 in a password's hash for a variable.
if [ -f .env ]; then
  for name in $(sed -n "s/^$blank\(export \)\{0,1\}$blank\([A-Za-z_][A-Za-z0-9_]*\)$blank=.*/\2/p" .env); do
    export "$name=$(setting "$name")"
  done
fi

data=$(setting DATA_DIR)
data=$(absolute "${data:-.local}")
storage=$(setting STORAGE_PATH)
STORAGE_FOLDER=$(absolute "${storage:-$data/storage}")
S3_FOLDER=$data/compose-s3
mkdir -p "$data/compose" "$S3_FOLDER" "$STORAGE_FOLDER"

SECRET_KEY=$(setting SECRET_KEY)
SECRET_KEY=${SECRET_KEY:-$(kept "$data/secret_key")}
POSTGRES_PASSWORD=$(kept "$data/compose/postgres.password")
RABBITMQ_PASSWORD=$(kept "$data/compose/rabbitmq.password")
LOCAL_UID=$(id -u)
LOCAL_GID=$(id -g)

# nginx refuses what is far above the functions' own limit.
most=$(setting MAX_BODY_BYTES)
case $most in
  '' | *[!0-9]*) ;; # the functions have a default, and name what is wrong
  *) export NGINX_MAX_BODY_BYTES=$((2 * most)) ;;
esac

# What is only good enough on this machine, such as the admin's first password, is refused as
# soon as others can reach the service.
HOST=$(setting HOST)
case $HOST in
  '' | localhost) HOST=127.0.0.1 ;; # Compose wants an address
esac
case $HOST in
  127.*) LOCAL_RUN=1 ;;
  *) LOCAL_RUN=0 ;;
esac
export HOST LOCAL_GID LOCAL_RUN LOCAL_UID POSTGRES_PASSWORD RABBITMQ_PASSWORD SECRET_KEY
export S3_FOLDER STORAGE_FOLDER

if docker compose version > /dev/null 2>&1; then
  set -- docker compose --file local/docker-compose.yml --project-directory . "$@"
elif command -v docker-compose > /dev/null; then
  set -- docker-compose --file local/docker-compose.yml --project-directory . "$@"
else
  echo "Docker Compose is not installed: install Docker, or use make run or make services" >&2
  exit 1
fi
exec "$@"
