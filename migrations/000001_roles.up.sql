-- One role per service. A service logs in with whatever login it was given and takes its role by the startup parameter
-- "role", so one login is enough and separate logins are possible. Roles belong to the whole cluster, not to this
-- database: the migration of another database may have created them already, or be creating them at this moment.
DO $$
DECLARE
	service text;
BEGIN
	FOREACH service IN ARRAY ARRAY['hp_auth', 'hp_catalog', 'hp_ingest', 'hp_analytics', 'hp_aggregator'] LOOP
		BEGIN
			EXECUTE format('CREATE ROLE %I NOLOGIN', service);
		EXCEPTION WHEN duplicate_object OR unique_violation THEN
			NULL;
		END;
		-- A superuser is a member of everything; any other login must be made one, to be able to take the role. From Postgres 16
		-- on whoever makes a role is a member that may give it away but not take it: SET is what has to be asked for.
		IF NOT pg_has_role(CURRENT_USER, service, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END) THEN
			EXECUTE format('GRANT %I TO CURRENT_USER', service);
		END IF;
	END LOOP;
END
$$;

-- Services compare the version of the schema with the one they were built for.
GRANT SELECT ON public.schema_migrations TO hp_auth, hp_catalog, hp_ingest, hp_analytics, hp_aggregator;
