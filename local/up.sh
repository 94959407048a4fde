#!/bin/sh
# `make up`: build, check the settings, start, wait until all is healthy, and say where everything is;
# or end within a limit and say what is wrong.
set -eu
cd "$(dirname "$0")/.."
set -- up "$@"
. local/compose_settings.sh
shift

limit=${UP_SECONDS:-300} # from the first container's start; images are pulled and built before
restarts=4 # one that ends so often will not start at all

# A line for each container: service, state, exit code, restarts, health, name, last start.
containers() {
  docker ps --all --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" \
    --filter label=com.docker.compose.oneoff=False | xargs docker inspect --format \
    '{{index .Config.Labels "com.docker.compose.service"}} {{.State.Status}} {{.State.ExitCode}} {{.RestartCount}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}} {{.Name}} {{.State.StartedAt}}' \
    2> /dev/null | sort || true
}

# What of it is not as it should be.
unready() {
  containers | awk '!($1 == "migrate" && $2 == "exited" && $3 == 0) && !($2 == "running" && $5 == "healthy")'
}

# What of it will not get better by itself, of what has happened since $before.
hopeless() {
  { printf '%s\n' "$before" --; containers; } | awk -v most="$restarts" '
    $0 == "--" { now = 1; next }
    !now { times[$6] = $4; started[$6] = $7; next }
    ($2 == "exited" && $3 != 0 && $7 != started[$6]) || ($2 == "restarting" && $4 >= times[$6] + most)'
}

explain() {
  echo "make up: $1" >&2
  said=
  unready | while read -r service state code times health name started; do
    [ "$state" != created ] || continue # it waits for another one
    echo "$service: $state, health: $health, restarts: $times, exit code: $code" >&2
    docker logs --tail 8 "${name#/}" 2>&1 | sed 's/^/    /' >&2
  done
  said=$(unready | while read -r service state code times health name started; do
    docker logs --tail 50 "${name#/}" 2>&1
  done)
  case $said in
    *'password authentication failed'* | *ACCESS_REFUSED* | *'Login was refused'*)
      echo "The volumes of $COMPOSE_PROJECT_NAME were made with other passwords than those in $data/compose: put those files back, see docs/containers.md, or remove the volumes and their data: sh local/compose.sh down --volumes" >&2 ;;
    *'PostgreSQL data'* | *'database files are incompatible'*)
      echo "The volume ${COMPOSE_PROJECT_NAME}_postgres has data of another version of PostgreSQL: see docs/containers.md" >&2 ;;
  esac
  echo "Nothing was removed: sh local/compose.sh ps, sh local/compose.sh logs SERVICE, make down" >&2
  exit 1
}

compose build
checked=$(compose run --rm --no-deps --no-TTY functions ./sync settings --check 2>&1) || {
  echo "$checked" | tail -n 1 >&2
  exit 1
}
compose create --remove-orphans "$@"

before=$(containers) # may have been killed; it is started again
compose up --detach --no-build "$@" &
starting=$!
trap 'kill "$starting" 2> /dev/null; exit 130' INT TERM
waited=0
while :; do
  if [ -z "$starting" ]; then
    [ -n "$(unready)" ] || break
  elif ! kill -0 "$starting" 2> /dev/null; then
    wait "$starting" || explain "it could not be started"
    starting=
    continue
  fi
  if [ -n "$(hopeless)" ] || [ "$waited" -ge "$limit" ]; then
    [ -z "$starting" ] || kill "$starting" 2> /dev/null || true
    [ "$waited" -lt "$limit" ] || explain "not healthy after $limit s"
    explain "it could not be started"
  fi
  sleep 1
  waited=$((waited + 1))
done

scheme=http${TLS_CERTIFICATE:+s}
case $HOST in
  127.0.0.1 | 0.0.0.0) place=localhost ;;
  '[::]') place='[::1]' ;;
  *) place=$HOST ;;
esac
url=$scheme://$place:$(setting PORT | grep . || echo 27000)
login="user $(setting ADMIN_USER | grep . || echo root)"
case $(setting ADMIN_PASSWORD)$(setting ADMIN_PASSWORD_HASH) in
  '') login="$login, password admin" ;;
esac
echo "URL      $url/sync/"
echo "Admin    $url/admin/  ($login)"
echo "Files    $STORAGE_FOLDER"
echo "Try      make sample"
