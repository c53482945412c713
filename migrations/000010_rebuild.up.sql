-- What `hp-analytics rebuild` has done, so that a rebuild that was interrupted goes on where it was.
CREATE TABLE stats.rebuilds (
	id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	started_at  timestamptz NOT NULL DEFAULT now(),
	finished_at timestamptz,
	from_day    date NOT NULL,
	to_day      date NOT NULL,
	CHECK (from_day <= to_day)
);
COMMENT ON TABLE stats.rebuilds IS 'Rebuilds of rollups from the raw rows: one row for each range that was asked for.';
COMMENT ON COLUMN stats.rebuilds.id IS 'Counts up.';
COMMENT ON COLUMN stats.rebuilds.started_at IS 'When it was first started.';
COMMENT ON COLUMN stats.rebuilds.finished_at IS 'When its last day was done; NULL while it runs, or when it was interrupted.';
COMMENT ON COLUMN stats.rebuilds.from_day IS 'The first UTC day.';
COMMENT ON COLUMN stats.rebuilds.to_day IS 'The last UTC day, included.';

CREATE TABLE stats.rebuild_days (
	rebuild_id bigint NOT NULL REFERENCES stats.rebuilds (id) ON DELETE CASCADE,
	day        date NOT NULL,
	rows       bigint NOT NULL,
	removed    bigint NOT NULL,
	added      bigint NOT NULL,
	swapped_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (rebuild_id, day)
);
COMMENT ON TABLE stats.rebuild_days IS 'The days of a rebuild that are done, each written in the transaction that replaced its rollups.';
COMMENT ON COLUMN stats.rebuild_days.rebuild_id IS 'The rebuild.';
COMMENT ON COLUMN stats.rebuild_days.day IS 'The UTC day.';
COMMENT ON COLUMN stats.rebuild_days.rows IS 'Raw rows that were counted.';
COMMENT ON COLUMN stats.rebuild_days.removed IS 'Rollup rows that were wrong or too many, or of another lane than 0.';
COMMENT ON COLUMN stats.rebuild_days.added IS 'Rollup rows that took their place, or were missing.';
COMMENT ON COLUMN stats.rebuild_days.swapped_at IS 'When its rollups were replaced.';
GRANT SELECT, INSERT, UPDATE, DELETE ON stats.rebuilds, stats.rebuild_days TO hp_aggregator;

-- A rebuild counts a day here, then replaces the rows of the day in stats. Unlogged, because after a crash of Postgres
-- the day is begun again; it is begun again after any interruption.
CREATE SCHEMA shadow;
COMMENT ON SCHEMA shadow IS 'Rollups of the day that a rebuild is counting. Tables are named as in stats and are emptied before each day.';
CREATE UNLOGGED TABLE shadow.product_daily_stats
	(LIKE stats.product_daily_stats INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (product_id, day, lane));
CREATE UNLOGGED TABLE shadow.product_daily_users
	(LIKE stats.product_daily_users INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (product_id, day, lane));
CREATE UNLOGGED TABLE shadow.product_type_daily_stats
	(LIKE stats.product_type_daily_stats INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (product_id, day, type, lane));
CREATE UNLOGGED TABLE shadow.type_daily_stats
	(LIKE stats.type_daily_stats INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (day, type, lane));
CREATE UNLOGGED TABLE shadow.user_daily_stats
	(LIKE stats.user_daily_stats INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (user_id, day, lane));
CREATE UNLOGGED TABLE shadow.daily_stats
	(LIKE stats.daily_stats INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (day, lane));
CREATE UNLOGGED TABLE shadow.daily_users
	(LIKE stats.daily_users INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (day, lane));
COMMENT ON TABLE shadow.product_daily_stats IS 'As stats.product_daily_stats, of the day being rebuilt.';
COMMENT ON TABLE shadow.product_daily_users IS 'As stats.product_daily_users, of the day being rebuilt.';
COMMENT ON TABLE shadow.product_type_daily_stats IS 'As stats.product_type_daily_stats, of the day being rebuilt.';
COMMENT ON TABLE shadow.type_daily_stats IS 'As stats.type_daily_stats, of the day being rebuilt.';
COMMENT ON TABLE shadow.user_daily_stats IS 'As stats.user_daily_stats, of the day being rebuilt.';
COMMENT ON TABLE shadow.daily_stats IS 'As stats.daily_stats, of the day being rebuilt.';
COMMENT ON TABLE shadow.daily_users IS 'As stats.daily_users, of the day being rebuilt.';
GRANT USAGE ON SCHEMA shadow TO hp_aggregator;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA shadow TO hp_aggregator;

-- reconcile and rebuild read these rollups by day, which their primary keys do not lead with. Rows are inserted about in
-- the order of days, so a summary of each range of pages is enough: it costs a fold nothing that could be measured,
-- where a B-tree would be one more insertion for each user and day. "multi" keeps a few late rows from widening a range.
CREATE INDEX user_daily_stats_day_idx ON stats.user_daily_stats
	USING brin (day date_minmax_multi_ops) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX product_type_daily_stats_day_idx ON stats.product_type_daily_stats
	USING brin (day date_minmax_multi_ops) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX product_daily_users_day_idx ON stats.product_daily_users
	USING brin (day date_minmax_multi_ops) WITH (pages_per_range = 32, autosummarize = on);
