CREATE TABLE stats.type_daily_stats (
	day date NOT NULL,
	type text NOT NULL,
	lane smallint NOT NULL,
	events bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (day, type, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.type_daily_stats IS 'Events of custom types per day over all products.';
COMMENT ON COLUMN stats.type_daily_stats.day IS 'UTC day of ts.';
COMMENT ON COLUMN stats.type_daily_stats.type IS 'The event type. Types with a column of their own are not here.';
COMMENT ON COLUMN stats.type_daily_stats.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.type_daily_stats.events IS 'Events of the type.';

CREATE VIEW stats.type_daily AS
SELECT day, type,
	sum(events)::bigint AS events
FROM stats.type_daily_stats
GROUP BY day, type;
COMMENT ON VIEW stats.type_daily IS 'Events of custom types per day over all products, summed over the lanes.';

GRANT SELECT, INSERT, UPDATE, DELETE ON stats.type_daily_stats, stats.type_daily TO hp_aggregator;
GRANT SELECT ON stats.type_daily_stats, stats.type_daily TO hp_analytics;

-- The lock waits for the folds in flight, so each fold is either in this sum or comes after it. Folds of an aggregator of the
-- previous release are missing here until it is replaced. reconcile reports those days and rebuild repairs them.
LOCK TABLE stats.product_type_daily_stats IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO stats.type_daily_stats (day, type, lane, events)
SELECT day, type, lane, sum(events)
FROM stats.product_type_daily_stats
GROUP BY day, type, lane;
