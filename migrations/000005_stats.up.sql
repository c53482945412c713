CREATE SCHEMA stats;
COMMENT ON SCHEMA stats IS 'Daily rollups, written by the aggregator and read by analytics. The views are the one definition of each number.';
GRANT USAGE ON SCHEMA stats TO hp_aggregator, hp_analytics;

-- Every primary key ends in a lane. A worker holds a lane until its transaction ends and adds only to rows of that lane, so two
-- workers never wait for the same row. Readers sum the lanes through the views. A single worker always has lane 0.
--
-- Rows are small and updated often. A fillfactor of 70 and no index on a counter keep updates in their page and out of the
-- indexes (HOT). Vacuum runs early, because every read has to skip dead versions.

CREATE TABLE stats.product_daily_stats (
	product_id uuid NOT NULL,
	day date NOT NULL,
	lane smallint NOT NULL,
	events bigint NOT NULL DEFAULT 0,
	views bigint NOT NULL DEFAULT 0,
	clicks bigint NOT NULL DEFAULT 0,
	add_to_carts bigint NOT NULL DEFAULT 0,
	purchases bigint NOT NULL DEFAULT 0,
	units bigint NOT NULL DEFAULT 0,
	revenue_minor bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (product_id, day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.product_daily_stats IS 'Counts per product and day.';
COMMENT ON COLUMN stats.product_daily_stats.product_id IS 'The product.';
COMMENT ON COLUMN stats.product_daily_stats.day IS 'UTC day of ts.';
COMMENT ON COLUMN stats.product_daily_stats.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.product_daily_stats.events IS 'Events of all types; purchases are not among them.';
COMMENT ON COLUMN stats.product_daily_stats.views IS 'Events of type view.';
COMMENT ON COLUMN stats.product_daily_stats.clicks IS 'Events of type click.';
COMMENT ON COLUMN stats.product_daily_stats.add_to_carts IS 'Events of type add_to_cart.';
COMMENT ON COLUMN stats.product_daily_stats.purchases IS 'Purchases.';
COMMENT ON COLUMN stats.product_daily_stats.units IS 'Units bought.';
COMMENT ON COLUMN stats.product_daily_stats.revenue_minor IS 'Sum of the purchases'' amounts, in minor units of the products'' currencies.';

-- Rankings read a range of days over all products.
CREATE INDEX product_daily_stats_day_idx ON stats.product_daily_stats (day);

CREATE TABLE stats.product_daily_users (
	product_id uuid NOT NULL,
	day date NOT NULL,
	lane smallint NOT NULL,
	sketch bytea NOT NULL,
	PRIMARY KEY (product_id, day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.product_daily_users IS 'Unique users per product and day. Separate from the counts, because a sketch is large and rarely changes.';
COMMENT ON COLUMN stats.product_daily_users.product_id IS 'The product.';
COMMENT ON COLUMN stats.product_daily_users.day IS 'UTC day of ts.';
COMMENT ON COLUMN stats.product_daily_users.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.product_daily_users.sketch IS 'HyperLogLog sketch of the user ids (package internal/stats/sketch); standard error 1.6 %. Merge the lanes.';

CREATE TABLE stats.product_type_daily_stats (
	product_id uuid NOT NULL,
	day date NOT NULL,
	type text NOT NULL,
	lane smallint NOT NULL,
	events bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (product_id, day, type, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.product_type_daily_stats IS 'Events of custom types per product and day.';
COMMENT ON COLUMN stats.product_type_daily_stats.product_id IS 'The product.';
COMMENT ON COLUMN stats.product_type_daily_stats.day IS 'UTC day of ts.';
COMMENT ON COLUMN stats.product_type_daily_stats.type IS 'The event type. Types with a column of their own are not here.';
COMMENT ON COLUMN stats.product_type_daily_stats.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.product_type_daily_stats.events IS 'Events of the type.';

CREATE TABLE stats.user_daily_stats (
	user_id text NOT NULL,
	day date NOT NULL,
	lane smallint NOT NULL,
	events bigint NOT NULL DEFAULT 0,
	views bigint NOT NULL DEFAULT 0,
	clicks bigint NOT NULL DEFAULT 0,
	add_to_carts bigint NOT NULL DEFAULT 0,
	purchases bigint NOT NULL DEFAULT 0,
	units bigint NOT NULL DEFAULT 0,
	revenue_minor bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (user_id, day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.user_daily_stats IS 'Counts per user and day.';
COMMENT ON COLUMN stats.user_daily_stats.user_id IS 'The user.';
COMMENT ON COLUMN stats.user_daily_stats.day IS 'UTC day of ts.';
COMMENT ON COLUMN stats.user_daily_stats.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.user_daily_stats.events IS 'Events of all types; purchases are not among them.';
COMMENT ON COLUMN stats.user_daily_stats.views IS 'Events of type view.';
COMMENT ON COLUMN stats.user_daily_stats.clicks IS 'Events of type click.';
COMMENT ON COLUMN stats.user_daily_stats.add_to_carts IS 'Events of type add_to_cart.';
COMMENT ON COLUMN stats.user_daily_stats.purchases IS 'Purchases.';
COMMENT ON COLUMN stats.user_daily_stats.units IS 'Units bought.';
COMMENT ON COLUMN stats.user_daily_stats.revenue_minor IS 'Sum of the purchases'' amounts, in minor units of the products'' currencies.';

CREATE TABLE stats.daily_stats (
	day date NOT NULL,
	lane smallint NOT NULL,
	events bigint NOT NULL DEFAULT 0,
	views bigint NOT NULL DEFAULT 0,
	clicks bigint NOT NULL DEFAULT 0,
	add_to_carts bigint NOT NULL DEFAULT 0,
	purchases bigint NOT NULL DEFAULT 0,
	units bigint NOT NULL DEFAULT 0,
	revenue_minor bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.daily_stats IS 'Counts per day over all products.';
COMMENT ON COLUMN stats.daily_stats.day IS 'UTC day of ts.';
COMMENT ON COLUMN stats.daily_stats.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.daily_stats.events IS 'Events of all types; purchases are not among them.';
COMMENT ON COLUMN stats.daily_stats.views IS 'Events of type view.';
COMMENT ON COLUMN stats.daily_stats.clicks IS 'Events of type click.';
COMMENT ON COLUMN stats.daily_stats.add_to_carts IS 'Events of type add_to_cart.';
COMMENT ON COLUMN stats.daily_stats.purchases IS 'Purchases.';
COMMENT ON COLUMN stats.daily_stats.units IS 'Units bought.';
COMMENT ON COLUMN stats.daily_stats.revenue_minor IS 'Sum of the purchases'' amounts, in minor units of the products'' currencies.';

CREATE TABLE stats.daily_users (
	day date NOT NULL,
	lane smallint NOT NULL,
	sketch bytea NOT NULL,
	PRIMARY KEY (day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.daily_users IS 'Unique users per day over all products.';
COMMENT ON COLUMN stats.daily_users.day IS 'UTC day of ts.';
COMMENT ON COLUMN stats.daily_users.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.daily_users.sketch IS 'HyperLogLog sketch of the user ids (package internal/stats/sketch); standard error 1.6 %. Merge the lanes.';

CREATE VIEW stats.product_daily AS
SELECT product_id, day,
	sum(events)::bigint AS events,
	sum(views)::bigint AS views,
	sum(clicks)::bigint AS clicks,
	sum(add_to_carts)::bigint AS add_to_carts,
	sum(purchases)::bigint AS purchases,
	sum(units)::bigint AS units,
	sum(revenue_minor)::bigint AS revenue_minor
FROM stats.product_daily_stats
GROUP BY product_id, day;
COMMENT ON VIEW stats.product_daily IS 'Counts per product and day, summed over the lanes.';

CREATE VIEW stats.product_type_daily AS
SELECT product_id, day, type,
	sum(events)::bigint AS events
FROM stats.product_type_daily_stats
GROUP BY product_id, day, type;
COMMENT ON VIEW stats.product_type_daily IS 'Events of custom types per product and day, summed over the lanes.';

CREATE VIEW stats.user_daily AS
SELECT user_id, day,
	sum(events)::bigint AS events,
	sum(views)::bigint AS views,
	sum(clicks)::bigint AS clicks,
	sum(add_to_carts)::bigint AS add_to_carts,
	sum(purchases)::bigint AS purchases,
	sum(units)::bigint AS units,
	sum(revenue_minor)::bigint AS revenue_minor
FROM stats.user_daily_stats
GROUP BY user_id, day;
COMMENT ON VIEW stats.user_daily IS 'Counts per user and day, summed over the lanes.';

CREATE VIEW stats.daily AS
SELECT day,
	sum(events)::bigint AS events,
	sum(views)::bigint AS views,
	sum(clicks)::bigint AS clicks,
	sum(add_to_carts)::bigint AS add_to_carts,
	sum(purchases)::bigint AS purchases,
	sum(units)::bigint AS units,
	sum(revenue_minor)::bigint AS revenue_minor
FROM stats.daily_stats
GROUP BY day;
COMMENT ON VIEW stats.daily IS 'Counts per day over all products, summed over the lanes.';

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA stats TO hp_aggregator;
GRANT SELECT ON ALL TABLES IN SCHEMA stats TO hp_analytics;
