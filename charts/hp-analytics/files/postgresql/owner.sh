# Run once by the official image, after it has made the data directory, as its superuser. Makes the login of the platform, which owns the
# database and has no privilege of the server, and the roles of the services, which that login may assume but not create.
#   OWNER, DATABASE   their names     OWNER_PASSWORD_FILE   the file with the password of OWNER
# Afterwards the superuser has no password: it logs in only inside the container, over the socket.
OWNER_PASSWORD=$(cat "$OWNER_PASSWORD_FILE") psql --no-psqlrc -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv owner OWNER
\getenv database DATABASE
\getenv password OWNER_PASSWORD
\getenv superuser POSTGRES_USER
CREATE ROLE :"owner" LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS PASSWORD :'password';
CREATE ROLE hp_auth NOLOGIN;
CREATE ROLE hp_catalog NOLOGIN;
CREATE ROLE hp_ingest NOLOGIN;
CREATE ROLE hp_analytics NOLOGIN;
CREATE ROLE hp_aggregator NOLOGIN;
GRANT hp_auth, hp_catalog, hp_ingest, hp_analytics, hp_aggregator TO :"owner";
CREATE DATABASE :"database" OWNER :"owner";
ALTER ROLE :"superuser" PASSWORD NULL;
SQL
