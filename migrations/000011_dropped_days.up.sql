-- A row whose partition was dropped no longer shows that a retry is a retry: the event would be stored and counted a second
-- time. So a day that was dropped never gets a partition again, and no row of it can be inserted. Without this, clients could
-- send such events again after the retention was extended.
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
GRANT SELECT ON ingest.dropped_days TO hp_ingest;

CREATE OR REPLACE FUNCTION ingest.ensure_partitions(from_day date, to_day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	parent text;
	wanted date;
	child  text;
	made   integer := 0;
BEGIN
	IF to_day - from_day >= 1000 THEN
		RAISE EXCEPTION 'ensure_partitions: % to % is more than 1000 days', from_day, to_day
			USING ERRCODE = 'invalid_parameter_value';
	END IF;
	-- Two sessions that need the same day must not both create it. The key is locks.Partitions in internal/locks.
	PERFORM pg_advisory_xact_lock(4823, 1);
	FOREACH parent IN ARRAY ARRAY['events', 'purchases'] LOOP
		FOR wanted IN SELECT generate_series(from_day, to_day, interval '1 day')::date LOOP
			CONTINUE WHEN EXISTS (SELECT FROM ingest.dropped_days WHERE day = wanted);
			child := parent || '_p' || to_char(wanted, 'YYYYMMDD');
			CONTINUE WHEN to_regclass(format('ingest.%I', child)) IS NOT NULL;
			EXECUTE format(
				'CREATE TABLE ingest.%I (LIKE ingest.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)
				 WITH (autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.1)',
				child, parent);
			EXECUTE format(
				'ALTER TABLE ingest.%I ATTACH PARTITION ingest.%I FOR VALUES FROM (%L) TO (%L)',
				parent, child, (wanted::timestamp AT TIME ZONE 'UTC'), ((wanted + 1)::timestamp AT TIME ZONE 'UTC'));
			EXECUTE format('COMMENT ON TABLE ingest.%I IS %L', child, parent || ' of ' || wanted || ' (UTC)');
			made := made + 1;
		END LOOP;
	END LOOP;
	RETURN made;
END
$$;
COMMENT ON FUNCTION ingest.ensure_partitions(date, date) IS
	'Creates the missing partitions of events and purchases for each UTC day of an inclusive range, except for dropped days, and returns how many it created.';

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
