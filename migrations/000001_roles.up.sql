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

-- Every role may by default make temporary tables and large objects, which fill the disk. No service needs them. The first is
-- revoked by the owner of the database. The functions of large objects belong to the superuser, and only a superuser revokes them.
DO $$
DECLARE
	f regprocedure;
BEGIN
	BEGIN
		EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
	EXCEPTION WHEN insufficient_privilege THEN
		RAISE WARNING 'the login does not own the database, so the roles of the services may make temporary tables';
	END;
	IF (SELECT rolsuper FROM pg_roles WHERE rolname = CURRENT_USER) THEN
		FOR f IN
			SELECT oid::regprocedure FROM pg_proc
			WHERE pronamespace = 'pg_catalog'::regnamespace AND (proname LIKE 'lo\_%' OR proname IN ('loread', 'lowrite'))
		LOOP
			EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', f);
		END LOOP;
	END IF;
END
$$;
