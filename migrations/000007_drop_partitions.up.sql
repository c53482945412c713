-- The partitions are selected in a materialized CTE before their names are parsed as days. Postgres may evaluate conditions in
-- any order: with another plan it parsed the names of all tables and failed with "invalid value for YYYY".
CREATE OR REPLACE FUNCTION ingest.drop_partitions_before(before_day date, dry_run boolean)
RETURNS TABLE (partition text, bytes bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(4823, 1);
	FOR partition, bytes IN
		WITH partitions AS MATERIALIZED (
			SELECT c.oid, c.relname::text AS name
			FROM pg_inherits i
			JOIN pg_class c ON c.oid = i.inhrelid
			WHERE i.inhparent IN ('ingest.events'::regclass, 'ingest.purchases'::regclass)
		)
		SELECT name, pg_total_relation_size(oid)
		FROM partitions
		WHERE to_date(right(name, 8), 'YYYYMMDD') < before_day
		ORDER BY right(name, 8), name
	LOOP
		IF NOT dry_run THEN
			EXECUTE format('DROP TABLE ingest.%I', partition);
		END IF;
		RETURN NEXT;
	END LOOP;
END
$$;
