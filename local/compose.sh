#!/bin/sh
# Docker Compose on local/docker-compose.yml and, where it exists, docker-compose.override.yml:
# `sh local/compose.sh ps`, `exec functions ./sync retry --all`, `logs --follow trigger` …
set -eu
cd "$(dirname "$0")/.."
. local/compose_settings.sh
compose "$@"
