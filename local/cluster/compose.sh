#!/bin/sh
# Docker Compose on local/cluster/docker-compose.yml and the files that CLUSTER_CHANGES names:
# `sh local/cluster/compose.sh ps`, `exec functions-1 ./sync status` … Secrets and folders are made as
# for local/compose.sh, but of its own, below .local/cluster or CLUSTER_DIR.
set -eu
cd "$(dirname "$0")/../.."
export COMPOSE_PROJECT_NAME=external-storage-sync-cluster
export DATA_DIR="${CLUSTER_DIR:-.local/cluster}"
export STORAGE_PATH="$DATA_DIR/storage"
# What each machine counts, for its own /metrics.
mkdir -p "$DATA_DIR/compose-metrics/1" "$DATA_DIR/compose-metrics/2"
. local/compose_settings.sh
files=
for file in ${CLUSTER_CHANGES:-}; do
  files="$files --file $file"
done
# shellcheck disable=SC2086 # several words
exec $program --project-directory . --file local/cluster/docker-compose.yml $files "$@"
