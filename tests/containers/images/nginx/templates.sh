#!/bin/sh
# Fills in the environment's variables, and no other $name, in each template.
set -e
folder=${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}
target=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}
[ -d "$folder" ] || exit 0
names=$(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/${\1}/p' | tr '\n' ' ')
for template in "$folder"/*.template; do
  name=$(basename "$template" .template)
  envsubst "$names" < "$template" > "$target/$name"
done
