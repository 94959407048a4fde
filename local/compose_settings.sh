#!/bin/sh
# Docker Compose on local/docker-compose.yml, with what that file needs from this machine: secrets
# that are made once and kept under DATA_DIR, the folder for the files and the account that owns
# it. There is no default password anywhere.
set -eu
cd "$(dirname "$0")/.."

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
      foreign = foreign "|^STORAGE_FOLDER$"
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

# A secret kept in a file that only its owner may read.
kept() {
  if [ ! -s "$1" ]; then
    (umask 077 && od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' > "$1.new" && mv "$1.new" "$1")
  fi
  cat "$1"
}

absolute() {
  case $1 in
    '~' | '~/'*) printf '%s' "$HOME${1#\~}" ;;
    '~'* | '$'*) echo "$1: expected a path; only ~/ is replaced here" >&2 && exit 1 ;;
    /*) printf '%s' "$1" ;;
    *) printf '%s/%s' "$PWD" "$1" ;;
  esac
}

if [ -f .env ]; then
  exported=$(assignments)
  eval "$exported"
fi

data=$(setting DATA_DIR)
data=$(absolute "${data:-.local}")
storage=$(setting STORAGE_PATH)
STORAGE_FOLDER=$(absolute "${storage:-$data/storage}")
S3_FOLDER=$data/compose-s3
METRICS_FOLDER=$data/compose-metrics
mkdir -p "$data/compose" "$METRICS_FOLDER" "$S3_FOLDER" "$STORAGE_FOLDER"

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

# nginx believes addresses and protocols of the proxies in front of it alone.
NGINX_PROXIES=
NGINX_REAL_IP=
for proxy in $(setting TRUSTED_PROXIES | tr ',' ' '); do
  case $proxy in
    *[!0-9A-Fa-f.:/]*)
      echo "TRUSTED_PROXIES: expected addresses or networks separated by commas" >&2
      exit 1 ;;
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
      [ -f "$file" ] || { echo "TLS_CERTIFICATE, TLS_KEY: there is no file $file" >&2 && exit 1; }
    done ;;
  *) echo "TLS_CERTIFICATE, TLS_KEY: one needs the other" >&2 && exit 1 ;;
esac
export TLS_CERTIFICATE TLS_KEY

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
export METRICS_FOLDER S3_FOLDER STORAGE_FOLDER

if docker compose version > /dev/null 2>&1; then
  set -- docker compose --file local/docker-compose.yml --project-directory . "$@"
elif command -v docker-compose > /dev/null; then
  set -- docker-compose --file local/docker-compose.yml --project-directory . "$@"
else
  echo "Docker Compose is not installed: install Docker, or use make run or make services" >&2
  exit 1
fi
exec "$@"
