-- Gives back what Postgres grants to every role by default.
DO $$
DECLARE
	f regprocedure;
BEGIN
	BEGIN
		EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO PUBLIC', current_database());
	EXCEPTION WHEN insufficient_privilege THEN
		NULL; -- it was not revoked, either
	END;
	IF (SELECT rolsuper FROM pg_roles WHERE rolname = CURRENT_USER) THEN
		FOR f IN
			SELECT oid::regprocedure FROM pg_proc
			WHERE pronamespace = 'pg_catalog'::regnamespace AND (proname LIKE 'lo\_%' OR proname IN ('loread', 'lowrite'))
			  AND proname NOT IN ('lo_import', 'lo_export')
		LOOP
			EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO PUBLIC', f);
		END LOOP;
	END IF;
END
$$;

-- Revokes the privileges of the roles in this database. A role itself is dropped only when no other database of the cluster
-- needs it, and by a login that may drop it.
DO $$
DECLARE
	service text;
BEGIN
	FOREACH service IN ARRAY ARRAY['hp_auth', 'hp_catalog', 'hp_ingest', 'hp_analytics', 'hp_aggregator'] LOOP
		BEGIN
			EXECUTE format('DROP OWNED BY %I', service);
			EXECUTE format('DROP ROLE %I', service);
		EXCEPTION
			WHEN dependent_objects_still_exist OR undefined_object OR insufficient_privilege THEN
				EXECUTE format('REVOKE SELECT ON public.schema_migrations FROM %I', service);
			WHEN object_in_use THEN
				NULL;
		END;
	END LOOP;
END
$$;
