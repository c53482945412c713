-- A late event creates the partition of its day again. If the day's raw rows were dropped before, which is possible after the
-- retention was extended, the new partition has only a part of the rows that the rollups count. It must not be mistaken for
-- the whole day.
CREATE TABLE ingest.dropped_days (
	day        date PRIMARY KEY,
	dropped_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE ingest.dropped_days IS 'Days whose raw rows were dropped. Their rollups can no longer be recounted or rebuilt.';
COMMENT ON COLUMN ingest.dropped_days.day IS 'The UTC day.';
COMMENT ON COLUMN ingest.dropped_days.dropped_at IS 'When its first partition was dropped.';

CREATE VIEW ingest.whole_days AS
WITH partitions AS MATERIALIZED (
	SELECT c.relname::text AS name
	FROM pg_inherits i
	JOIN pg_class c ON c.oid = i.inhrelid
	WHERE i.inhparent IN ('ingest.events'::regclass, 'ingest.purchases'::regclass)
)
SELECT to_date(right(name, 8), 'YYYYMMDD') AS day FROM partitions
EXCEPT
SELECT day FROM ingest.dropped_days;
COMMENT ON VIEW ingest.whole_days IS 'Days that have partitions and whose raw rows were never dropped.';
GRANT SELECT ON ingest.dropped_days, ingest.whole_days TO hp_aggregator;

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
			INSERT INTO ingest.dropped_days (day) VALUES (to_date(right(partition, 8), 'YYYYMMDD')) ON CONFLICT DO NOTHING;
		END IF;
		RETURN NEXT;
	END LOOP;
END
$$;
