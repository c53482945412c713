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
