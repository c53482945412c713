-- One role per service. A service connects with any login and assumes its role with SET ROLE, so one
-- login is enough and separate logins are possible. Roles belong to the whole cluster, not to this database: the migration of
-- another database may have created them already, or may be creating them concurrently.
DO $$
DECLARE
	service text;
BEGIN
	FOREACH service IN ARRAY ARRAY['hp_auth', 'hp_catalog', 'hp_ingest', 'hp_analytics', 'hp_aggregator'] LOOP
		-- A login without CREATEROLE may not even try to create a role that exists.
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = service) THEN
			BEGIN
				EXECUTE format('CREATE ROLE %I NOLOGIN', service);
			EXCEPTION WHEN duplicate_object OR unique_violation THEN
				NULL;
			END;
		END IF;
		-- A superuser is a member of every role. Any other login must be granted the role before it can assume it. Since Postgres
		-- 16 the creator of a role is a member that may grant it but not assume it, so the privilege to check is SET.
		IF NOT pg_has_role(CURRENT_USER, service, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END) THEN
			EXECUTE format('GRANT %I TO CURRENT_USER', service);
		END IF;
	END LOOP;
END
$$;

-- Services compare the version of the schema with the one they were built for.
GRANT SELECT ON public.schema_migrations TO hp_auth, hp_catalog, hp_ingest, hp_analytics, hp_aggregator;
