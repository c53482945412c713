#!/bin/sh
# Generates the passwords of this installation once and keeps existing ones. They are in volumes and not in files of the repository.
# `docker compose down --volumes` deletes them together with the data.
#   /secrets/platform   how services reach Postgres and Redis     /secrets/admin   the first admin's password
set -eu

random() { LC_ALL=C tr -dc A-Za-z0-9 </dev/urandom | head -c 32; }

# keep writes a secret without a trailing newline unless it exists. The rename makes the write atomic. Containers run as different users,
# so every user in a container with this volume may read it.
keep() {
	[ -s "$1" ] && return
	printf %s "$2" >"$1.new"
	chmod 0444 "$1.new"
	mv "$1.new" "$1"
}

cd /secrets/platform
keep postgres_password "$(random)"
keep redis_password "$(random)"
keep database_url "postgres://hp_owner:$(cat postgres_password)@postgres:5432/hp_analytics?sslmode=disable"
keep redis_url "redis://:$(cat redis_password)@redis:6379/0"
keep redis.conf "requirepass $(cat redis_password)
"
keep /secrets/admin/password "${ADMIN_PASSWORD:-$(random)}"
