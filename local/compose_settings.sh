# What local/docker-compose.yml needs from this machine, for the scripts that run Docker Compose: the
# settings, secrets that are made once and kept under DATA_DIR, the folder for the files and the account
# that owns it. There is no default password anywhere. Read by `.` in the project's folder, with the
# command of Compose as the first argument.

# The file .env as commands for this shell, read as strictly as local/env_file.py reads it, whose
# table documents the syntax. Compose reads .env too, but would take $8 in a password's hash for
# a variable: what is exported here takes precedence.
assignments() {
  names=
  [ ! -f .env.example ] || names=$(sed -n 's/^#\{0,1\}\([A-Z0-9_]\{1,\}\)=.*/\1/p' .env.example)
  LC_ALL=C NAMES=$names awk '
    function fail(text) {
      print ".env:" NR ": " text > "/dev/stderr"
      failed = 1
      exit 1
    }
    function trimmed(text) {
      gsub(/^[ \t]+|[ \t]+$/, "", text)
      return text
    }
    function is_known(name) {
      return name in settings || toupper(name) ~ foreign
    }
    function filled(text,  out, start, stop, inner, cut, other) {
      while ((start = index(text, "${")) > 0) {
        out = out substr(text, 1, start - 1)
        text = substr(text, start + 2)
        stop = index(text, "}")
        inner = substr(text, 1, stop - 1)
        cut = index(inner, ":-")
        other = cut ? substr(inner, 1, cut - 1) : inner
        if (!stop || other !~ /^[A-Za-z_][A-Za-z0-9_]*$/)
          fail(name ": only ${NAME} and ${NAME:-default}")
        if (!cut && !(other in known))
          fail(name ": ${" other "} is not set; within single quotes it is literal")
        out = out (known[other] != "" ? known[other] : cut ? substr(inner, cut + 2) : "")
        text = substr(text, stop + 1)
      }
      text = out text
      gsub(/\001/, "$", text)
      return text
    }
    # Takes the quoted text off; what follows may only be a comment.
    function quoted(text, pattern) {
      if (!match(text, pattern)) fail(name ": the quote is not closed in its line")
      rest = trimmed(substr(text, RLENGTH + 1))
      if (rest != "" && rest !~ /^#/) fail(name ": there is text after the closing quote")
      return substr(text, 2, RLENGTH - 2)
    }
    function unescaped(text,  out, letter) {
      while (match(text, /\\./)) {
        letter = substr(text, RSTART + 1, 1)
        if (letter !~ /["\\$]/) fail(name ": a backslash within double quotes; use single quotes")
        out = out substr(text, 1, RSTART - 1) (letter == "$" ? "\001" : letter)
        text = substr(text, RSTART + 2)
      }
      return out text
    }
    BEGIN {
      foreign = "^(AWS|BUILDKIT|BUILDX|COMPOSE|DOCKER|GRANIAN|LC|LD|LOCALSTACK|MALLOC|NGINX|OPENSSL"
      foreign = foreign "|OTEL|PIP|PYTHON|TTY|UV|XDG)_?[A-Z0-9_]+$|^(HTTPS?|ALL|NO|FTP)_PROXY$|^PG"
      foreign = foreign "|^SSL_CERT_|^SSLKEYLOGFILE$|_CA_BUNDLE$|^(LANG|LANGUAGE|LOCPATH|TZ|TZDIR)$"
      foreign = foreign "|^(HOME|PATH|PWD|SHELL|USER|LOGNAME|HOSTNAME|TMPDIR|TEMP|TMP)$"
      foreign = foreign "|^(TERM|COLUMNS|LINES|NO_COLOR|FORCE_COLOR|VIRTUAL_ENV|GLIBC_TUNABLES)$"
      foreign = foreign "|^(LOCAL_[GU]ID|LOCAL_RUN|POSTGRES_PASSWORD|RABBITMQ_PASSWORD)$"
      foreign = foreign "|^(STORAGE_FOLDER|SUBNET|UP_SECONDS)$"
      foreign = foreign "|^(AMQP|FUNCTIONS|MANAGEMENT|MEMCACHED|POSTGRES)_PORT$"
      count = split(ENVIRON["NAMES"], list, /[ \n]+/)
      for (i = 1; i <= count; i++) settings[list[i]] = settings[list[i] "_ARN"] = 1
      for (other in ENVIRON) if (ENVIRON[other] != "") known[other] = ENVIRON[other]
    }
    NR == 1 {
      if ($0 ~ /^(\377\376|\376\377)/) fail("the file is UTF-16; save it as UTF-8")
      sub(/^\357\273\277/, "")
    }
    {
      sub(/\r$/, "")
      line = trimmed($0)
      if (line == "" || line ~ /^#/) next
      if (line !~ /^(export[ \t]+)?[A-Za-z_][A-Za-z0-9_]*[ \t]*=/)
        fail("expected NAME=value or a comment")
      sub(/^export[ \t]+/, "", line)
      at = index(line, "=")
      name = trimmed(substr(line, 1, at - 1))
      raw = substr(line, at + 1)
      text = trimmed(raw)
      if (count && !is_known(name)) fail(name ": nothing reads this name")
      if (text ~ /[\001-\010\013-\037]/) fail(name ": the value has a control character")
      if (text ~ /^\047/) value = quoted(text, "^\047[^\047]*\047")
      else if (text ~ /^"/) value = filled(unescaped(quoted(text, "^\"([^\"\\\\]|\\\\.)*\"")))
      else if (text ~ /^#/ && raw !~ /^#/) fail(name ": a number sign after = and a blank")
      else {
        sub(/[ \t]+#.*/, "", text)
        value = filled(text)
      }
      if (!(name in ENVIRON) || ENVIRON[name] == "") known[name] = values[name] = value
    }
    END {
      if (failed) exit 1
      for (name in values) {
        gsub(/\047/, "\047\\\047\047", values[name])
        print "export " name "=\047" values[name] "\047"
      }
    }
  ' .env
}

# The value of a variable, from the environment or the file .env.
setting() {
  printenv "$1" || true
}

refuse() {
  echo "$1" >&2
  exit 1
}

# A secret kept in a file that only its owner may read; commands that start nothing make none.
kept() {
  if [ ! -s "$1" ]; then
    [ "$starts" = 1 ] || { echo none && return; }
    (umask 077 && od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' > "$1.new" && mv "$1.new" "$1")
  fi
  cat "$1"
}

# The password of a server: one that is made now would not be that of data made with another.
password() {
  if [ ! -s "$data/compose/$1.password" ] && [ "$starts" = 1 ] \
    && docker volume inspect "${COMPOSE_PROJECT_NAME}_$1" > /dev/null 2>&1; then
    refuse "$data/compose/$1.password is missing, and the data in the volume ${COMPOSE_PROJECT_NAME}_$1 was made with it: put the file back, see docs/containers.md, or remove the volumes and their data: sh local/compose.sh down --volumes"
  fi
  kept "$data/compose/$1.password"
}

absolute() {
  case $1 in
    '~' | '~/'*) printf '%s' "$HOME${1#\~}" ;;
    '~'* | '$'*) refuse "$1: expected a path; only ~/ is replaced here" ;;
    /*) printf '%s' "$1" ;;
    *) printf '%s/%s' "$PWD" "$1" ;;
  esac
}

if [ -f .env ]; then
  exported=$(assignments)
  eval "$exported"
fi

case ${1:-} in
  up | create | run) starts=1 ;;
  *) starts=0 ;;
esac
COMPOSE_PROJECT_NAME=$(setting COMPOSE_PROJECT_NAME)
COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME:-external-storage-sync}
data=$(setting DATA_DIR)
data=$(absolute "${data:-.local}")
storage=$(setting STORAGE_PATH)
STORAGE_FOLDER=$(absolute "${storage:-$data/storage}")
S3_FOLDER=$data/compose-s3
METRICS_FOLDER=$data/compose-metrics
mkdir -p "$data/compose" "$METRICS_FOLDER" "$S3_FOLDER" "$STORAGE_FOLDER"

SECRET_KEY=$(setting SECRET_KEY)
SECRET_KEY=${SECRET_KEY:-$(kept "$data/secret_key")}
POSTGRES_PASSWORD=$(password postgres)
RABBITMQ_PASSWORD=$(password rabbitmq)

# The account inside: ours, or for root the one that local/run_as.py takes, which becomes the owner of
# root's files in the storage.
LOCAL_UID=$(id -u)
LOCAL_GID=$(id -g)
owner() {
  # Not stat, whose options differ between systems.
  ls -ldn -- "$1" | awk '{ print $3 " " $4 }'
}
hand_over() {
  find "$1" -depth -user 0 -group 0 \( -type f -o -type d \) -exec chgrp -h "$LOCAL_GID" {} +
  find "$1" -depth -user 0 \( -type f -o -type d \) -exec chown -h "$LOCAL_UID" {} +
}
if [ "$LOCAL_UID" = 0 ]; then
  account=$(setting RUN_AS)
  first=$(owner "$STORAGE_FOLDER")
  if [ -n "$account" ]; then
    id -u "$account" > /dev/null 2>&1 || refuse "RUN_AS: there is no account $account"
  elif [ "${first% *}" != 0 ]; then
    LOCAL_UID=${first% *} LOCAL_GID=${first#* } # it may have no entry, and needs none
  elif id -u www-data > /dev/null 2>&1; then
    account=www-data
  else
    account=nobody
  fi
  [ -z "$account" ] || LOCAL_UID=$(id -u "$account") LOCAL_GID=$(id -g "$account")
  if [ "$LOCAL_UID" != 0 ] && [ "$starts" = 1 ]; then
    if [ "${first% *}" = 0 ]; then
      if [ -n "$(ls -A "$STORAGE_FOLDER")" ] && [ ! -e "$STORAGE_FOLDER/.incoming" ]; then
        refuse "STORAGE_PATH: $STORAGE_FOLDER belongs to root and contains other files; change its owner to the account that should write to it, or set RUN_AS=root to run everything as root"
      fi
      hand_over "$STORAGE_FOLDER"
    fi
    hand_over "$METRICS_FOLDER"
    hand_over "$S3_FOLDER"
  fi
fi

# nginx refuses what is far above the functions' own limit.
most=$(setting MAX_BODY_BYTES)
case $most in
  '' | *[!0-9]*) ;; # the functions have a default, and name what is wrong
  *) export NGINX_MAX_BODY_BYTES=$((2 * most)) ;;
esac

# nginx believes addresses and protocols of the proxies in front of it alone.
NGINX_PROXIES=
NGINX_REAL_IP=
for proxy in $(setting TRUSTED_PROXIES | tr ',' ' '); do
  case $proxy in
    *[!0-9A-Fa-f.:/]*)
      refuse "TRUSTED_PROXIES: expected addresses or networks separated by commas" ;;
  esac
  NGINX_REAL_IP="${NGINX_REAL_IP}set_real_ip_from $proxy; "
  NGINX_PROXIES="${NGINX_PROXIES}$proxy 1; "
done
export NGINX_PROXIES NGINX_REAL_IP

# nginx answers in TLS where it has a certificate and its key.
TLS_CERTIFICATE=$(setting TLS_CERTIFICATE)
TLS_KEY=$(setting TLS_KEY)
case ${TLS_CERTIFICATE:+1}${TLS_KEY:+1} in
  '') ;;
  11)
    TLS_CERTIFICATE=$(absolute "$TLS_CERTIFICATE")
    TLS_KEY=$(absolute "$TLS_KEY")
    for file in "$TLS_CERTIFICATE" "$TLS_KEY"; do
      [ -f "$file" ] || refuse "TLS_CERTIFICATE, TLS_KEY: there is no file $file"
    done ;;
  *) refuse "TLS_CERTIFICATE, TLS_KEY: one needs the other" ;;
esac
export TLS_CERTIFICATE TLS_KEY

# What is only good enough on this machine, such as the admin's first password, is refused as
# soon as others can reach the service.
HOST=$(setting HOST)
case $HOST in
  '' | localhost) HOST=127.0.0.1 ;; # Compose wants an address
esac
case $HOST in
  127.* | ::1) LOCAL_RUN=1 ;;
  *) LOCAL_RUN=0 ;;
esac
case $HOST in
  *:*) HOST="[$HOST]" ;;
esac
export COMPOSE_PROJECT_NAME HOST LOCAL_GID LOCAL_RUN LOCAL_UID POSTGRES_PASSWORD RABBITMQ_PASSWORD
export METRICS_FOLDER S3_FOLDER SECRET_KEY STORAGE_FOLDER

# Compose 1 reads another language; it is also what some call 2 by itself.
if docker compose version > /dev/null 2>&1; then
  program="docker compose"
elif version=$(docker-compose version --short 2> /dev/null); then
  case $version in
    1.* | v1.*) refuse "docker-compose $version is too old: install Docker Compose 2, or use make run or make services" ;;
  esac
  program=docker-compose
else
  refuse "Docker Compose is not installed: install Docker, or use make run or make services"
fi
compose() {
  set -- --project-directory . "$@"
  [ ! -f docker-compose.override.yml ] || set -- --file docker-compose.override.yml "$@"
  $program --file local/docker-compose.yml "$@"
}
