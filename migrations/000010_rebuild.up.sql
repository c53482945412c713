-- The progress of `hp-analytics rebuild`, from which an interrupted rebuild is resumed.
CREATE TABLE stats.rebuilds (
	id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	started_at  timestamptz NOT NULL DEFAULT now(),
	finished_at timestamptz,
	from_day    date NOT NULL,
	to_day      date NOT NULL,
	CHECK (from_day <= to_day)
);
COMMENT ON TABLE stats.rebuilds IS 'Rebuilds of rollups from raw rows, one row for each requested range.';
COMMENT ON COLUMN stats.rebuilds.id IS 'Ascending.';
COMMENT ON COLUMN stats.rebuilds.started_at IS 'When it was first started.';
COMMENT ON COLUMN stats.rebuilds.finished_at IS 'When its last day was done. NULL while it runs or after it was interrupted.';
COMMENT ON COLUMN stats.rebuilds.from_day IS 'The first UTC day.';
COMMENT ON COLUMN stats.rebuilds.to_day IS 'The last UTC day (inclusive).';

CREATE TABLE stats.rebuild_days (
	rebuild_id bigint NOT NULL REFERENCES stats.rebuilds (id) ON DELETE CASCADE,
	day        date NOT NULL,
	rows       bigint NOT NULL,
	removed    bigint NOT NULL,
	added      bigint NOT NULL,
	swapped_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (rebuild_id, day)
);
COMMENT ON TABLE stats.rebuild_days IS 'The days of a rebuild that are done. Each is recorded in the transaction that replaced its rollups.';
COMMENT ON COLUMN stats.rebuild_days.rebuild_id IS 'The rebuild.';
COMMENT ON COLUMN stats.rebuild_days.day IS 'The UTC day.';
COMMENT ON COLUMN stats.rebuild_days.rows IS 'Raw rows that were counted.';
COMMENT ON COLUMN stats.rebuild_days.removed IS 'Rollup rows that differed, were surplus, or were in a lane other than 0.';
COMMENT ON COLUMN stats.rebuild_days.added IS 'Rollup rows that replaced them or were missing.';
COMMENT ON COLUMN stats.rebuild_days.swapped_at IS 'When its rollups were replaced.';
GRANT SELECT, INSERT, UPDATE, DELETE ON stats.rebuilds, stats.rebuild_days TO hp_aggregator;

-- A rebuild counts a day into these tables, then replaces the rows of the day in stats. They are unlogged, because after any
-- interruption, a crash of Postgres included, the day starts again.
CREATE SCHEMA shadow;
COMMENT ON SCHEMA shadow IS 'Rollups of the day that a rebuild is counting. The tables have the names of those in stats and are emptied before each day.';
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

-- reconcile and rebuild read these rollups by day, which is not the first column of their primary keys. Rows are inserted
-- roughly in the order of days, so BRIN is enough. Its cost for a fold is too small to measure, while a B-tree would need one
-- more insertion for each user and day. The minmax_multi operator class keeps a few late rows from widening a range.
CREATE INDEX user_daily_stats_day_idx ON stats.user_daily_stats
	USING brin (day date_minmax_multi_ops) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX product_type_daily_stats_day_idx ON stats.product_type_daily_stats
	USING brin (day date_minmax_multi_ops) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX product_daily_users_day_idx ON stats.product_daily_users
	USING brin (day date_minmax_multi_ops) WITH (pages_per_range = 32, autosummarize = on);
