
	WITH changed AS MATERIALIZED (
		SELECT product, sku
		FROM unnest($17::integer[], $18::text[]) AS sent (product, sku)
		WHERE NOT coalesce((
	SELECT p.sku = sent.sku
	FROM catalog.products AS p
	WHERE p.n = sent.product
	LIMIT 1), false)
	), moved AS MATERIALIZED (
	SELECT t.project, t.ts_sent, t.id, t.ts
	FROM unnest($1::smallint[], $2::timestamptz[], $3::uuid[]) AS sent (project, ts, id)
	CROSS JOIN LATERAL (
		SELECT project, ts_sent, id, ts
		FROM ingest.event_times AS t
		WHERE t.project = sent.project AND t.ts_sent = sent.ts AND t.id = sent.id AND t.ts <> t.ts_sent
		LIMIT 1
	) AS t
	WHERE EXISTS (SELECT FROM unnest($12::smallint[], $13::timestamptz[], $14::timestamptz[]) AS batch (project, first_ts, last_ts) WHERE EXISTS (
		SELECT FROM ingest.event_times AS t
		WHERE t.project = batch.project AND t.ts_sent BETWEEN batch.first_ts AND batch.last_ts AND t.ts <> t.ts_sent
		LIMIT 1))
	), expired AS MATERIALIZED (
		SELECT expired.*
		FROM unnest($12::smallint[], $19::bigint[]) AS sent (project, epoch) CROSS JOIN LATERAL (SELECT e.project, e.epoch FROM ingest.erasure_epochs AS e WHERE e.project = sent.project AND e.epoch > sent.epoch LIMIT 1) AS expired
	), fine AS MATERIALIZED (
		SELECT WHERE NOT EXISTS (SELECT FROM changed) AND NOT EXISTS (SELECT FROM moved) AND NOT EXISTS (SELECT FROM expired)
	), sent AS MATERIALIZED (
		SELECT sent.*
		FROM fine, unnest($1::smallint[], $2::timestamptz[], $3::uuid[], $4::bigint[], $5::integer[], $6::smallint[], $7::text[], $8::bigint[], $9::bytea[])
			AS sent (project, ts, id, user_n, product, name, properties, batch, record)
	), stored AS (
		INSERT INTO ingest.events (project, ts, id, user_n, product, name, properties, batch)
		SELECT project, ts, id, user_n, product, name, properties, batch FROM sent
		ON CONFLICT (project, ts, id) DO NOTHING
		RETURNING project, ts, id, user_n
	), counted AS (
		SELECT project, count(*) AS rows, min(ts) AS min_ts, max(ts) AS max_ts, string_agg(record, '') AS records
		FROM stored JOIN sent USING (project, ts, id)
		GROUP BY project
	), receipts AS (
		INSERT INTO ingest.batches (kind, id, project, rows, min_ts, max_ts, facts, received_at, aggregated_at)
		SELECT $10::text, b.id, b.project, coalesce(c.rows, 0), c.min_ts, c.max_ts, b.header || c.records, moment,
		       CASE WHEN c.rows IS NULL THEN moment END
		FROM fine, (SELECT clock_timestamp() AS moment OFFSET 0) AS clock,
		     unnest($11::bigint[], $12::smallint[], $15::bytea[]) AS b (id, project, header)
		LEFT JOIN counted AS c USING (project)
	), seen AS MATERIALIZED (
		SELECT project, user_n, min(ts) AS ts
		FROM stored
		GROUP BY project, user_n
		ORDER BY project, user_n
	), lowered AS (
	WITH locked AS MATERIALIZED (
		SELECT u.project, u.n, seen.ts
		FROM seen JOIN ingest.users AS u ON u.project = seen.project AND u.n = seen.user_n
		WHERE u.first_seen IS NULL OR u.first_seen > seen.ts
		ORDER BY u.project, u.n
		FOR NO KEY UPDATE OF u
	)
	UPDATE ingest.users AS u
	SET first_seen = locked.ts
	FROM locked
	WHERE u.project = locked.project AND u.n = locked.n AND (u.first_seen IS NULL OR u.first_seen > locked.ts))
	SELECT count(*), CASE WHEN count(*) < $16 THEN array_agg(project) END, CASE WHEN count(*) < $16 THEN array_agg(ts) END,
	       CASE WHEN count(*) < $16 THEN array_agg(id) END,
	       (SELECT array_agg(product) FROM changed), (SELECT array_agg(sku) FROM changed),
	       (SELECT array_agg(project) FROM moved), (SELECT array_agg(ts_sent) FROM moved),
	       (SELECT array_agg(id) FROM moved), (SELECT array_agg(ts) FROM moved),
	       (SELECT array_agg(project) FROM expired), (SELECT array_agg(epoch) FROM expired)
	FROM stored