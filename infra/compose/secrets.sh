#!/bin/sh
# Generates the passwords of this installation once and keeps existing ones. They are in volumes and not in files of the repository.
# `docker compose down --volumes` deletes them together with the data. Each directory is a volume for those who need its files:
#   /secrets/database   the URL of Postgres     /secrets/cache   the URL of Redis
#   /secrets/postgres, /secrets/redis   what these servers themselves read
#   /secrets/admin, /secrets/grafana   the first admin's password
set -eu
umask 077

random() { LC_ALL=C tr -dc A-Za-z0-9 </dev/urandom | head -c 32; }

# keep writes a secret without a trailing newline unless it exists, for one user only. The rename makes the write atomic.
keep() {
	[ -s "$2" ] && return
	printf %s "$3" >"$2.new"
	chmod 0400 "$2.new"
	chown "$1" "$2.new"
	mv "$2.new" "$2"
}

service=65532 postgres=999 redis=65532 grafana=472
cd /secrets
keep $postgres postgres/password "$(random)"
keep $service database/url "postgres://hp_owner:$(cat postgres/password)@postgres:5432/hp_analytics?sslmode=disable"
keep $redis redis/password "$(random)"
keep $redis redis/redis.conf "requirepass $(cat redis/password)
"
keep $service cache/url "redis://:$(cat redis/password)@redis:6379/0"
keep $service admin/password "${ADMIN_PASSWORD:-$(random)}"
keep $grafana grafana/password "$(cat admin/password)"
