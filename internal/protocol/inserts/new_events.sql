
		WITH fine AS MATERIALIZED (SELECT WHERE NOT EXISTS (SELECT FROM unnest($9::bigint[], $10::smallint[], $11::integer[], $12::timestamptz[], $13::timestamptz[], $14::bytea[], $15::bigint[]) AS sent (id, project, rows, min_ts, max_ts, facts, epoch) WHERE EXISTS (
		SELECT FROM ingest.event_times AS t
		WHERE t.project = sent.project AND t.ts_sent BETWEEN sent.min_ts AND sent.max_ts AND t.ts <> t.ts_sent
		LIMIT 1))
		AND NOT EXISTS (SELECT FROM unnest($9::bigint[], $10::smallint[], $11::integer[], $12::timestamptz[], $13::timestamptz[], $14::bytea[], $15::bigint[]) AS sent (id, project, rows, min_ts, max_ts, facts, epoch) CROSS JOIN LATERAL (SELECT e.project, e.epoch FROM ingest.erasure_epochs AS e WHERE e.project = sent.project AND e.epoch > sent.epoch LIMIT 1) AS expired)), receipts AS (
			INSERT INTO ingest.batches (kind, id, project, rows, min_ts, max_ts, facts)
			SELECT 'events', id, project, rows, min_ts, max_ts, facts FROM fine, unnest($9::bigint[], $10::smallint[], $11::integer[], $12::timestamptz[], $13::timestamptz[], $14::bytea[], $15::bigint[]) AS sent (id, project, rows, min_ts, max_ts, facts, epoch)
		)
		INSERT INTO ingest.events (project, ts, id, user_n, product, name, properties, batch)
		SELECT $1::smallint, ts, id, user_n, product, name, properties, $2::bigint
		FROM fine, unnest($3::timestamptz[], $4::uuid[], $5::bigint[], $6::integer[], $7::smallint[], $8::jsonb[]) AS sent (ts, id, user_n, product, name, properties)