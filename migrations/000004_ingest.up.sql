CREATE SCHEMA ingest;
COMMENT ON SCHEMA ingest IS 'Raw events and purchases, and the batches that connect them to the rollups. Owned by the ingest service.';
GRANT USAGE ON SCHEMA ingest TO hp_ingest, hp_aggregator, hp_analytics;

-- No foreign keys to products: they would cost a third to a half of each insert. The service checks references and reconcile
-- verifies them. Columns are ordered by descending alignment, so rows have no padding.
CREATE TABLE ingest.events (
	owner       bigint NOT NULL,
	ts          timestamptz NOT NULL,
	received_at timestamptz NOT NULL,
	id          uuid NOT NULL,
	product_id  uuid NOT NULL,
	batch_id    uuid NOT NULL,
	user_id     text NOT NULL,
	type        text NOT NULL,
	properties  jsonb,
	PRIMARY KEY (owner, ts, id)
) PARTITION BY RANGE (ts);
CREATE INDEX events_product_id_ts_idx ON ingest.events (product_id, ts);
CREATE INDEX events_user_id_ts_idx ON ingest.events (user_id, ts);
CREATE INDEX events_batch_id_idx ON ingest.events (batch_id);
COMMENT ON TABLE ingest.events IS 'Accepted events, one partition per UTC day. The primary key deduplicates: a retry hits the same row.';
COMMENT ON COLUMN ingest.events.owner IS 'The account that the caller acts for: the first 8 bytes of the SHA-256 of its id. Each account has its own ids.';
COMMENT ON COLUMN ingest.events.ts IS 'When it happened: given by the client, or else the time in a UUIDv7 id, or else when it was received.';
COMMENT ON COLUMN ingest.events.received_at IS 'When it was committed (start of the transaction).';
COMMENT ON COLUMN ingest.events.id IS 'Id given by the client, or else by the server.';
COMMENT ON COLUMN ingest.events.product_id IS 'The product of the event.';
COMMENT ON COLUMN ingest.events.batch_id IS 'The batch that committed it. UUIDv7, so the index grows only at its right end.';
COMMENT ON COLUMN ingest.events.user_id IS 'The user: the id of an account, or the customer''s own id of a user.';
COMMENT ON COLUMN ingest.events.type IS 'view, click, add_to_cart, or any other name.';
COMMENT ON COLUMN ingest.events.properties IS 'Properties given by the client, a JSON object; NULL for none.';

CREATE TABLE ingest.purchases (
	owner        bigint NOT NULL,
	ts           timestamptz NOT NULL,
	received_at  timestamptz NOT NULL,
	amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
	id           uuid NOT NULL,
	product_id   uuid NOT NULL,
	batch_id     uuid NOT NULL,
	quantity     integer NOT NULL CHECK (quantity > 0),
	user_id      text NOT NULL,
	currency     text NOT NULL,
	PRIMARY KEY (owner, ts, id)
) PARTITION BY RANGE (ts);
CREATE INDEX purchases_product_id_ts_idx ON ingest.purchases (product_id, ts);
CREATE INDEX purchases_user_id_ts_idx ON ingest.purchases (user_id, ts);
CREATE INDEX purchases_batch_id_idx ON ingest.purchases (batch_id);
COMMENT ON TABLE ingest.purchases IS 'Accepted purchases, one partition per UTC day. The primary key deduplicates.';
COMMENT ON COLUMN ingest.purchases.owner IS 'The account that the caller acts for, as in ingest.events.';
COMMENT ON COLUMN ingest.purchases.ts IS 'When it happened.';
COMMENT ON COLUMN ingest.purchases.received_at IS 'When it was committed (start of the transaction).';
COMMENT ON COLUMN ingest.purchases.amount_minor IS 'Total amount paid, in minor units of the currency (cents).';
COMMENT ON COLUMN ingest.purchases.id IS 'Id given by the client, or else by the server.';
COMMENT ON COLUMN ingest.purchases.product_id IS 'The product that was bought.';
COMMENT ON COLUMN ingest.purchases.batch_id IS 'The batch that committed it.';
COMMENT ON COLUMN ingest.purchases.quantity IS 'Units bought.';
COMMENT ON COLUMN ingest.purchases.user_id IS 'Who bought it.';
COMMENT ON COLUMN ingest.purchases.currency IS 'ISO 4217 code of the product.';

-- Each row is inserted pending and, as a rule, updated once. Free space in each page keeps the updated version beside the
-- first one, and frequent vacuum keeps the partial index of pending batches as small as the backlog.
CREATE TABLE ingest.batches (
	id              uuid PRIMARY KEY,
	received_at     timestamptz NOT NULL DEFAULT now(),
	min_ts          timestamptz,
	max_ts          timestamptz,
	aggregated_at   timestamptz,
	failed_at       timestamptz,
	next_attempt_at timestamptz,
	rows            integer NOT NULL CHECK (rows >= 0),
	attempts        integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
	kind            text NOT NULL CHECK (kind IN ('events', 'purchases')),
	failure         text CHECK (octet_length(failure) <= 1000),
	CHECK (rows = 0 OR (min_ts IS NOT NULL AND max_ts IS NOT NULL)),
	CHECK ((failed_at IS NULL) = (next_attempt_at IS NULL) AND (failed_at IS NULL) = (failure IS NULL)),
	CHECK (failed_at IS NULL OR aggregated_at IS NULL)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000,
        autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
-- Claims read the first index. A failed batch is not in it, so that it costs the claims of others nothing while it waits.
CREATE INDEX batches_pending_idx ON ingest.batches (id) INCLUDE (rows, received_at) WHERE aggregated_at IS NULL AND failed_at IS NULL;
CREATE INDEX batches_failed_idx ON ingest.batches (next_attempt_at) INCLUDE (id, rows) WHERE aggregated_at IS NULL AND failed_at IS NOT NULL;
CREATE INDEX batches_received_at_idx ON ingest.batches USING brin (received_at) WITH (pages_per_range = 16, autosummarize = on);
COMMENT ON TABLE ingest.batches IS 'One row for each committed write. While it is pending it is in the inbox of the aggregator; then it is the receipt. A batch that cannot be folded is failed until a retry succeeds.';
COMMENT ON COLUMN ingest.batches.id IS 'UUIDv7.';
COMMENT ON COLUMN ingest.batches.received_at IS 'When it was committed (start of the transaction).';
COMMENT ON COLUMN ingest.batches.min_ts IS 'Earliest ts of its rows. With max_ts it determines the partitions of the rows.';
COMMENT ON COLUMN ingest.batches.max_ts IS 'Latest ts among its rows.';
COMMENT ON COLUMN ingest.batches.aggregated_at IS 'When its rows were folded into the rollups, in the same transaction; NULL is pending or failed.';
COMMENT ON COLUMN ingest.batches.failed_at IS 'When folding it alone failed for the last time, because of its content; NULL is pending or folded.';
COMMENT ON COLUMN ingest.batches.next_attempt_at IS 'When a failed batch is folded again.';
COMMENT ON COLUMN ingest.batches.attempts IS 'How many times folding it alone has failed.';
COMMENT ON COLUMN ingest.batches.failure IS 'Why folding it failed for the last time.';
COMMENT ON COLUMN ingest.batches.rows IS 'Rows that were inserted, without duplicates.';
COMMENT ON COLUMN ingest.batches.kind IS 'events or purchases: the table of its rows.';

-- Two branches, because each can use its partial index.
CREATE VIEW ingest.unfolded_batches AS
SELECT id, received_at, min_ts, max_ts, rows, kind, false AS failed
FROM ingest.batches WHERE aggregated_at IS NULL AND failed_at IS NULL
UNION ALL
SELECT id, received_at, min_ts, max_ts, rows, kind, true
FROM ingest.batches WHERE aggregated_at IS NULL AND failed_at IS NOT NULL;
COMMENT ON VIEW ingest.unfolded_batches IS 'The pending and the failed batches: those whose rows are not in the rollups.';

CREATE TABLE ingest.idempotency_keys (
	principal  text NOT NULL,
	key        text NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
	body_hash  bytea NOT NULL,
	response   jsonb NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (principal, key)
);
CREATE INDEX idempotency_keys_created_at_idx ON ingest.idempotency_keys (created_at);
COMMENT ON TABLE ingest.idempotency_keys IS 'Responses to requests with an Idempotency-Key, stored in the transaction of the request.';
COMMENT ON COLUMN ingest.idempotency_keys.principal IS 'The id of the account that the caller acts for. Each account has its own keys.';
COMMENT ON COLUMN ingest.idempotency_keys.key IS 'Value of the header.';
COMMENT ON COLUMN ingest.idempotency_keys.body_hash IS 'SHA-256 of the decoded body, to distinguish a retry from another request with the same key.';
COMMENT ON COLUMN ingest.idempotency_keys.response IS 'Body of the response, which a retry receives again.';
COMMENT ON COLUMN ingest.idempotency_keys.created_at IS 'When the key was first used. The row is pruned a day later.';

-- Creates the daily partitions of both tables. A partition is created as a separate table and then attached, because
-- CREATE TABLE … PARTITION OF would block every reader and writer of the parent.
CREATE FUNCTION ingest.ensure_partitions(from_day date, to_day date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	parent text;
	day    date;
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
		FOR day IN SELECT generate_series(from_day, to_day, interval '1 day')::date LOOP
			child := parent || '_p' || to_char(day, 'YYYYMMDD');
			CONTINUE WHEN to_regclass(format('ingest.%I', child)) IS NOT NULL;
			EXECUTE format(
				'CREATE TABLE ingest.%I (LIKE ingest.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES)
				 WITH (autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.1)',
				child, parent);
			EXECUTE format(
				'ALTER TABLE ingest.%I ATTACH PARTITION ingest.%I FOR VALUES FROM (%L) TO (%L)',
				parent, child, (day::timestamp AT TIME ZONE 'UTC'), ((day + 1)::timestamp AT TIME ZONE 'UTC'));
			EXECUTE format('COMMENT ON TABLE ingest.%I IS %L', child, parent || ' of ' || day || ' (UTC)');
			made := made + 1;
		END LOOP;
	END LOOP;
	RETURN made;
END
$$;
COMMENT ON FUNCTION ingest.ensure_partitions(date, date) IS
	'Creates the missing partitions of events and purchases for each UTC day of an inclusive range and returns how many it created.';

-- Drops the raw rows of whole days. The rollups are kept.
CREATE FUNCTION ingest.drop_partitions_before(before_day date, dry_run boolean)
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
COMMENT ON FUNCTION ingest.drop_partitions_before(date, boolean) IS
	'Drops the partitions of the days before a day and returns their names and sizes in bytes. With dry_run it only returns them.';
REVOKE ALL ON FUNCTION ingest.ensure_partitions(date, date), ingest.drop_partitions_before(date, boolean) FROM PUBLIC;

GRANT SELECT, INSERT ON ingest.events, ingest.purchases, ingest.batches, ingest.idempotency_keys TO hp_ingest;
GRANT EXECUTE ON FUNCTION ingest.ensure_partitions(date, date) TO hp_ingest, hp_aggregator;
GRANT EXECUTE ON FUNCTION ingest.drop_partitions_before(date, boolean) TO hp_aggregator;
GRANT SELECT ON ingest.events, ingest.purchases TO hp_aggregator;
GRANT SELECT, UPDATE, DELETE ON ingest.batches TO hp_aggregator;
GRANT SELECT, DELETE ON ingest.idempotency_keys TO hp_aggregator;
GRANT SELECT ON ingest.batches TO hp_analytics;
GRANT SELECT ON ingest.unfolded_batches TO hp_aggregator, hp_analytics;
