
		WITH fine AS MATERIALIZED (SELECT WHERE NOT EXISTS (SELECT FROM (SELECT $9::bigint AS id, $10::smallint AS project, $11::integer AS rows, $12::timestamptz AS min_ts, $13::timestamptz AS max_ts, $14::bytea AS facts, $15::bigint AS epoch) AS sent WHERE EXISTS (
		SELECT FROM ingest.event_times AS t
		WHERE t.project = sent.project AND t.ts_sent BETWEEN sent.min_ts AND sent.max_ts AND t.ts <> t.ts_sent
		LIMIT 1))
		AND NOT EXISTS (SELECT FROM (SELECT $9::bigint AS id, $10::smallint AS project, $11::integer AS rows, $12::timestamptz AS min_ts, $13::timestamptz AS max_ts, $14::bytea AS facts, $15::bigint AS epoch) AS sent CROSS JOIN LATERAL (SELECT e.project, e.epoch FROM ingest.erasure_epochs AS e WHERE e.project = sent.project AND e.epoch > sent.epoch LIMIT 1) AS expired)), receipts AS (
			INSERT INTO ingest.batches (kind, id, project, rows, min_ts, max_ts, facts)
			SELECT 'events', id, project, rows, min_ts, max_ts, facts FROM fine, (SELECT $9::bigint AS id, $10::smallint AS project, $11::integer AS rows, $12::timestamptz AS min_ts, $13::timestamptz AS max_ts, $14::bytea AS facts, $15::bigint AS epoch) AS sent
		)
		INSERT INTO ingest.events (project, ts, id, user_n, product, name, properties, batch)
		SELECT $1::smallint, ts, id, user_n, product, name, properties, $2::bigint
		FROM fine, (SELECT unnest($3::timestamptz[]) AS ts, unnest($4::uuid[]) AS id, unnest($5::bigint[]) AS user_n, unnest($6::integer[]) AS product, unnest($7::smallint[]) AS name, unnest($8::text[]) AS properties) AS sent