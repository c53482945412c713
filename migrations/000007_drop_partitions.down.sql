CREATE OR REPLACE FUNCTION ingest.drop_partitions_before(before_day date, dry_run boolean)
RETURNS TABLE (partition text, bytes bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM pg_advisory_xact_lock(4823, 1);
	FOR partition, bytes IN
		SELECT c.relname::text, pg_total_relation_size(c.oid)
		FROM pg_inherits i
		JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent IN ('ingest.events'::regclass, 'ingest.purchases'::regclass)
		  AND to_date(right(c.relname, 8), 'YYYYMMDD') < before_day
		ORDER BY right(c.relname, 8), c.relname
	LOOP
		IF NOT dry_run THEN
			EXECUTE format('DROP TABLE ingest.%I', partition);
		END IF;
		RETURN NEXT;
	END LOOP;
END
$$;
