
	WITH moment AS MATERIALIZED (
		SELECT clock_timestamp() AS received_at
	), changed AS MATERIALIZED (
		SELECT DISTINCT project, order_id
		FROM unnest($1::smallint[], $2::uuid[], $3::integer[], $4::text[], $5::bigint[], $6::text[])
			AS sent (project, order_id, product, sku, list_price, currency)
		WHERE NOT coalesce((
	SELECT sent.sku = p.sku AND (sent.list_price IS NULL OR sent.list_price =
		CASE WHEN p.placeholder THEN NULL WHEN p.currency = sent.currency THEN p.price_minor ELSE (p.prices ->> sent.currency)::bigint END)
	FROM catalog.products AS p
	WHERE p.n = sent.product
	LIMIT 1), false)
	), expired AS MATERIALIZED (
		SELECT expired.*
		FROM unnest($27::smallint[], $28::bigint[]) AS sent (project, epoch) CROSS JOIN LATERAL (SELECT e.project, e.epoch FROM ingest.erasure_epochs AS e WHERE e.project = sent.project AND e.epoch > sent.epoch LIMIT 1) AS expired
	), sent AS MATERIALIZED (
		SELECT sent.*, sent.key IS NULL OR pg_try_advisory_xact_lock(hashtextextended(project || ' ' || principal || ' ' || key, 0)) AS locked
		FROM unnest($7::smallint[], $8::uuid[], $9::timestamptz[], $10::bigint[], $11::bigint[], $12::smallint[], $13::text[],
				$14::text[], $15::bytea[], $16::jsonb[], $17::bytea[], $18::text[], $19::text[], $20::bytea[], $26::boolean[])
			AS sent (project, id, ts, user_n, batch, lines, currency, number, content_hash, properties, facts, principal, key, body_hash, earlier)
	), fresh AS MATERIALIZED (
		SELECT *
		FROM sent
		WHERE CASE WHEN locked THEN (project, id) NOT IN (SELECT project, order_id FROM changed) AND project NOT IN (SELECT project FROM expired) END AND NOT coalesce((
			SELECT true FROM ingest.idempotency_keys AS k
			WHERE k.project = sent.project AND k.principal = sent.principal AND k.key = sent.key LIMIT 1), false)
	), stored AS (
		INSERT INTO ingest.orders (project, id, ts, received_at, user_n, batch, lines, currency, number, content_hash, properties)
		SELECT project, id, ts, received_at, user_n, batch, lines, currency, number, content_hash, properties
		FROM fresh, moment
		ON CONFLICT (project, id) DO NOTHING
		RETURNING project, id
	), added AS MATERIALIZED (
		SELECT fresh.* FROM fresh JOIN stored USING (project, id)
	), stored_lines AS (
		INSERT INTO ingest.order_lines (project, order_id, line, ts, product, quantity, amount_minor)
		SELECT project, id, sent.line, sent.ts, sent.product, sent.quantity, sent.amount_minor
		FROM unnest($1::smallint[], $2::uuid[], $21::smallint[], $22::timestamptz[], $3::integer[], $23::integer[], $24::bigint[])
			AS sent (project, id, line, ts, product, quantity, amount_minor)
		JOIN stored USING (project, id)
	), keys AS (
		INSERT INTO ingest.idempotency_keys (project, principal, key, body_hash, response)
		SELECT project, principal, key, body_hash, jsonb_build_object('id', id)
		FROM added
		WHERE key IS NOT NULL
	), receipts AS (
		INSERT INTO ingest.batches (project, id, kind, rows, min_ts, max_ts, received_at, facts)
		SELECT project, batch, 'orders', sum(lines), min(ts), max(ts), (SELECT received_at FROM moment),
		       $25::bytea || string_agg(facts, ''::bytea)
		FROM added
		GROUP BY project, batch
	), seen AS MATERIALIZED (
		SELECT project, user_n, min(ts) AS ts
		FROM added
		WHERE earlier
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
	WHERE u.project = locked.project AND u.n = locked.n AND (u.first_seen IS NULL OR u.first_seen > locked.ts)
	)
	SELECT (SELECT received_at FROM moment), array_agg(project), array_agg(id),
	       (SELECT array_agg(project) FROM sent WHERE NOT locked), (SELECT array_agg(id) FROM sent WHERE NOT locked),
	       (SELECT array_agg(project) FROM changed), (SELECT array_agg(order_id) FROM changed),
	       (SELECT array_agg(project) FROM expired), (SELECT array_agg(epoch) FROM expired)
	FROM stored