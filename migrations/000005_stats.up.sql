CREATE SCHEMA stats;
COMMENT ON SCHEMA stats IS 'Rollups by the days and hours of each project, written by the aggregator and read by analytics. The views are the one definition of each number.';
GRANT USAGE ON SCHEMA stats TO hp_aggregator, hp_analytics;

-- Every primary key begins with the project and ends in a lane. A worker holds a lane until its transaction ends and adds only
-- to rows of that lane, so two workers never wait for the same row. Readers sum the lanes through the views. A single worker
-- always has lane 0.
--
-- Rows are small and updated often. A fillfactor of 70 and no index on a counter keep updates in their page and out of the
-- indexes (HOT). Vacuum runs early, because every read has to skip dead versions.
--
-- Money is per currency and never in the tables of counts.

CREATE TABLE stats.daily_stats (
	project smallint NOT NULL,
	day date NOT NULL,
	lane smallint NOT NULL,
	events bigint NOT NULL DEFAULT 0,
	views bigint NOT NULL DEFAULT 0,
	clicks bigint NOT NULL DEFAULT 0,
	add_to_carts bigint NOT NULL DEFAULT 0,
	purchases bigint NOT NULL DEFAULT 0,
	units bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (project, day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.daily_stats IS 'Counts per day.';
COMMENT ON COLUMN stats.daily_stats.project IS 'The project.';
COMMENT ON COLUMN stats.daily_stats.day IS 'Day of ts in the project''s time zone.';
COMMENT ON COLUMN stats.daily_stats.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.daily_stats.events IS 'Events of all names; orders and refunds are not among them.';
COMMENT ON COLUMN stats.daily_stats.views IS 'Events named view.';
COMMENT ON COLUMN stats.daily_stats.clicks IS 'Events named click.';
COMMENT ON COLUMN stats.daily_stats.add_to_carts IS 'Events named add_to_cart.';
COMMENT ON COLUMN stats.daily_stats.purchases IS 'Orders. Of a product: orders with a line of it.';
COMMENT ON COLUMN stats.daily_stats.units IS 'Units bought.';

CREATE TABLE stats.hourly_stats (
	project smallint NOT NULL,
	hour timestamptz NOT NULL,
	lane smallint NOT NULL,
	events bigint NOT NULL DEFAULT 0,
	views bigint NOT NULL DEFAULT 0,
	clicks bigint NOT NULL DEFAULT 0,
	add_to_carts bigint NOT NULL DEFAULT 0,
	purchases bigint NOT NULL DEFAULT 0,
	units bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (project, hour, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.hourly_stats IS 'Counts per hour.';
COMMENT ON COLUMN stats.hourly_stats.project IS 'The project.';
COMMENT ON COLUMN stats.hourly_stats.hour IS 'Start of the hour of ts by the clocks of the project''s time zone: ts without its minutes there.';
COMMENT ON COLUMN stats.hourly_stats.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.hourly_stats.events IS 'Events of all names; orders and refunds are not among them.';
COMMENT ON COLUMN stats.hourly_stats.views IS 'Events named view.';
COMMENT ON COLUMN stats.hourly_stats.clicks IS 'Events named click.';
COMMENT ON COLUMN stats.hourly_stats.add_to_carts IS 'Events named add_to_cart.';
COMMENT ON COLUMN stats.hourly_stats.purchases IS 'Orders. Of a product: orders with a line of it.';
COMMENT ON COLUMN stats.hourly_stats.units IS 'Units bought.';

CREATE TABLE stats.product_daily_stats (
	project smallint NOT NULL,
	product integer NOT NULL,
	day date NOT NULL,
	lane smallint NOT NULL,
	events bigint NOT NULL DEFAULT 0,
	views bigint NOT NULL DEFAULT 0,
	clicks bigint NOT NULL DEFAULT 0,
	add_to_carts bigint NOT NULL DEFAULT 0,
	purchases bigint NOT NULL DEFAULT 0,
	units bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (project, product, day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.product_daily_stats IS 'Counts per product and day.';
COMMENT ON COLUMN stats.product_daily_stats.project IS 'The project.';
COMMENT ON COLUMN stats.product_daily_stats.product IS 'The product (catalog.products.n).';
COMMENT ON COLUMN stats.product_daily_stats.day IS 'Day of ts in the project''s time zone.';
COMMENT ON COLUMN stats.product_daily_stats.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.product_daily_stats.events IS 'Events of all names; orders and refunds are not among them.';
COMMENT ON COLUMN stats.product_daily_stats.views IS 'Events named view.';
COMMENT ON COLUMN stats.product_daily_stats.clicks IS 'Events named click.';
COMMENT ON COLUMN stats.product_daily_stats.add_to_carts IS 'Events named add_to_cart.';
COMMENT ON COLUMN stats.product_daily_stats.purchases IS 'Orders. Of a product: orders with a line of it.';
COMMENT ON COLUMN stats.product_daily_stats.units IS 'Units bought.';

CREATE TABLE stats.product_hourly_stats (
	project smallint NOT NULL,
	product integer NOT NULL,
	hour timestamptz NOT NULL,
	lane smallint NOT NULL,
	events bigint NOT NULL DEFAULT 0,
	views bigint NOT NULL DEFAULT 0,
	clicks bigint NOT NULL DEFAULT 0,
	add_to_carts bigint NOT NULL DEFAULT 0,
	purchases bigint NOT NULL DEFAULT 0,
	units bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (project, product, hour, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.product_hourly_stats IS 'Counts per product and hour.';
COMMENT ON COLUMN stats.product_hourly_stats.project IS 'The project.';
COMMENT ON COLUMN stats.product_hourly_stats.product IS 'The product (catalog.products.n).';
COMMENT ON COLUMN stats.product_hourly_stats.hour IS 'Start of the hour of ts by the clocks of the project''s time zone: ts without its minutes there.';
COMMENT ON COLUMN stats.product_hourly_stats.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.product_hourly_stats.events IS 'Events of all names; orders and refunds are not among them.';
COMMENT ON COLUMN stats.product_hourly_stats.views IS 'Events named view.';
COMMENT ON COLUMN stats.product_hourly_stats.clicks IS 'Events named click.';
COMMENT ON COLUMN stats.product_hourly_stats.add_to_carts IS 'Events named add_to_cart.';
COMMENT ON COLUMN stats.product_hourly_stats.purchases IS 'Orders. Of a product: orders with a line of it.';
COMMENT ON COLUMN stats.product_hourly_stats.units IS 'Units bought.';

CREATE TABLE stats.user_daily_stats (
	project smallint NOT NULL,
	user_n bigint NOT NULL,
	day date NOT NULL,
	lane smallint NOT NULL,
	events bigint NOT NULL DEFAULT 0,
	views bigint NOT NULL DEFAULT 0,
	clicks bigint NOT NULL DEFAULT 0,
	add_to_carts bigint NOT NULL DEFAULT 0,
	purchases bigint NOT NULL DEFAULT 0,
	units bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (project, user_n, day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.user_daily_stats IS 'Counts per user and day.';
COMMENT ON COLUMN stats.user_daily_stats.project IS 'The project.';
COMMENT ON COLUMN stats.user_daily_stats.user_n IS 'The user (ingest.users.n).';
COMMENT ON COLUMN stats.user_daily_stats.day IS 'Day of ts in the project''s time zone.';
COMMENT ON COLUMN stats.user_daily_stats.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.user_daily_stats.events IS 'Events of all names; orders and refunds are not among them.';
COMMENT ON COLUMN stats.user_daily_stats.views IS 'Events named view.';
COMMENT ON COLUMN stats.user_daily_stats.clicks IS 'Events named click.';
COMMENT ON COLUMN stats.user_daily_stats.add_to_carts IS 'Events named add_to_cart.';
COMMENT ON COLUMN stats.user_daily_stats.purchases IS 'Orders. Of a product: orders with a line of it.';
COMMENT ON COLUMN stats.user_daily_stats.units IS 'Units bought.';

CREATE TABLE stats.name_daily_stats (
	project smallint NOT NULL,
	name smallint NOT NULL,
	day date NOT NULL,
	lane smallint NOT NULL,
	events bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (project, name, day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.name_daily_stats IS 'Events per name and day.';
COMMENT ON COLUMN stats.name_daily_stats.project IS 'The project.';
COMMENT ON COLUMN stats.name_daily_stats.name IS 'The name of the event (ingest.names.n).';
COMMENT ON COLUMN stats.name_daily_stats.day IS 'Day of ts in the project''s time zone.';
COMMENT ON COLUMN stats.name_daily_stats.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.name_daily_stats.events IS 'Events of this name.';

CREATE TABLE stats.name_hourly_stats (
	project smallint NOT NULL,
	name smallint NOT NULL,
	hour timestamptz NOT NULL,
	lane smallint NOT NULL,
	events bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (project, name, hour, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.name_hourly_stats IS 'Events per name and hour.';
COMMENT ON COLUMN stats.name_hourly_stats.project IS 'The project.';
COMMENT ON COLUMN stats.name_hourly_stats.name IS 'The name of the event (ingest.names.n).';
COMMENT ON COLUMN stats.name_hourly_stats.hour IS 'Start of the hour of ts by the clocks of the project''s time zone: ts without its minutes there.';
COMMENT ON COLUMN stats.name_hourly_stats.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.name_hourly_stats.events IS 'Events of this name.';

CREATE TABLE stats.product_name_daily_stats (
	project smallint NOT NULL,
	product integer NOT NULL,
	name smallint NOT NULL,
	day date NOT NULL,
	lane smallint NOT NULL,
	events bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (project, product, name, day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.product_name_daily_stats IS 'Events per product, name and day. Names with a counter of their own are not here.';
COMMENT ON COLUMN stats.product_name_daily_stats.project IS 'The project.';
COMMENT ON COLUMN stats.product_name_daily_stats.product IS 'The product (catalog.products.n).';
COMMENT ON COLUMN stats.product_name_daily_stats.name IS 'The name of the event (ingest.names.n).';
COMMENT ON COLUMN stats.product_name_daily_stats.day IS 'Day of ts in the project''s time zone.';
COMMENT ON COLUMN stats.product_name_daily_stats.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.product_name_daily_stats.events IS 'Events of this name.';

CREATE TABLE stats.daily_revenue (
	project smallint NOT NULL,
	day date NOT NULL,
	currency text COLLATE "C" NOT NULL,
	lane smallint NOT NULL,
	gross_minor bigint NOT NULL DEFAULT 0,
	refunded_minor bigint NOT NULL DEFAULT 0,
	orders bigint NOT NULL DEFAULT 0,
	units bigint NOT NULL DEFAULT 0,
	refunded_units bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (project, day, currency, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.daily_revenue IS 'Money per day.';
COMMENT ON COLUMN stats.daily_revenue.project IS 'The project.';
COMMENT ON COLUMN stats.daily_revenue.day IS 'Day of ts in the project''s time zone.';
COMMENT ON COLUMN stats.daily_revenue.currency IS 'ISO 4217 code of the amounts.';
COMMENT ON COLUMN stats.daily_revenue.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.daily_revenue.gross_minor IS 'Amounts of orders, in minor units.';
COMMENT ON COLUMN stats.daily_revenue.refunded_minor IS 'Amounts of refunds, in minor units.';
COMMENT ON COLUMN stats.daily_revenue.orders IS 'Orders. Of a product: orders with a line of it.';
COMMENT ON COLUMN stats.daily_revenue.units IS 'Units bought.';
COMMENT ON COLUMN stats.daily_revenue.refunded_units IS 'Units returned.';

CREATE TABLE stats.hourly_revenue (
	project smallint NOT NULL,
	hour timestamptz NOT NULL,
	currency text COLLATE "C" NOT NULL,
	lane smallint NOT NULL,
	gross_minor bigint NOT NULL DEFAULT 0,
	refunded_minor bigint NOT NULL DEFAULT 0,
	orders bigint NOT NULL DEFAULT 0,
	units bigint NOT NULL DEFAULT 0,
	refunded_units bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (project, hour, currency, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.hourly_revenue IS 'Money per hour.';
COMMENT ON COLUMN stats.hourly_revenue.project IS 'The project.';
COMMENT ON COLUMN stats.hourly_revenue.hour IS 'Start of the hour of ts by the clocks of the project''s time zone: ts without its minutes there.';
COMMENT ON COLUMN stats.hourly_revenue.currency IS 'ISO 4217 code of the amounts.';
COMMENT ON COLUMN stats.hourly_revenue.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.hourly_revenue.gross_minor IS 'Amounts of orders, in minor units.';
COMMENT ON COLUMN stats.hourly_revenue.refunded_minor IS 'Amounts of refunds, in minor units.';
COMMENT ON COLUMN stats.hourly_revenue.orders IS 'Orders. Of a product: orders with a line of it.';
COMMENT ON COLUMN stats.hourly_revenue.units IS 'Units bought.';
COMMENT ON COLUMN stats.hourly_revenue.refunded_units IS 'Units returned.';

CREATE TABLE stats.product_daily_revenue (
	project smallint NOT NULL,
	product integer NOT NULL,
	day date NOT NULL,
	currency text COLLATE "C" NOT NULL,
	lane smallint NOT NULL,
	gross_minor bigint NOT NULL DEFAULT 0,
	refunded_minor bigint NOT NULL DEFAULT 0,
	orders bigint NOT NULL DEFAULT 0,
	units bigint NOT NULL DEFAULT 0,
	refunded_units bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (project, product, day, currency, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.product_daily_revenue IS 'Money per product and day.';
COMMENT ON COLUMN stats.product_daily_revenue.project IS 'The project.';
COMMENT ON COLUMN stats.product_daily_revenue.product IS 'The product (catalog.products.n).';
COMMENT ON COLUMN stats.product_daily_revenue.day IS 'Day of ts in the project''s time zone.';
COMMENT ON COLUMN stats.product_daily_revenue.currency IS 'ISO 4217 code of the amounts.';
COMMENT ON COLUMN stats.product_daily_revenue.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.product_daily_revenue.gross_minor IS 'Amounts of orders, in minor units.';
COMMENT ON COLUMN stats.product_daily_revenue.refunded_minor IS 'Amounts of refunds, in minor units.';
COMMENT ON COLUMN stats.product_daily_revenue.orders IS 'Orders. Of a product: orders with a line of it.';
COMMENT ON COLUMN stats.product_daily_revenue.units IS 'Units bought.';
COMMENT ON COLUMN stats.product_daily_revenue.refunded_units IS 'Units returned.';

CREATE TABLE stats.product_hourly_revenue (
	project smallint NOT NULL,
	product integer NOT NULL,
	hour timestamptz NOT NULL,
	currency text COLLATE "C" NOT NULL,
	lane smallint NOT NULL,
	gross_minor bigint NOT NULL DEFAULT 0,
	refunded_minor bigint NOT NULL DEFAULT 0,
	orders bigint NOT NULL DEFAULT 0,
	units bigint NOT NULL DEFAULT 0,
	refunded_units bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (project, product, hour, currency, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.product_hourly_revenue IS 'Money per product and hour.';
COMMENT ON COLUMN stats.product_hourly_revenue.project IS 'The project.';
COMMENT ON COLUMN stats.product_hourly_revenue.product IS 'The product (catalog.products.n).';
COMMENT ON COLUMN stats.product_hourly_revenue.hour IS 'Start of the hour of ts by the clocks of the project''s time zone: ts without its minutes there.';
COMMENT ON COLUMN stats.product_hourly_revenue.currency IS 'ISO 4217 code of the amounts.';
COMMENT ON COLUMN stats.product_hourly_revenue.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.product_hourly_revenue.gross_minor IS 'Amounts of orders, in minor units.';
COMMENT ON COLUMN stats.product_hourly_revenue.refunded_minor IS 'Amounts of refunds, in minor units.';
COMMENT ON COLUMN stats.product_hourly_revenue.orders IS 'Orders. Of a product: orders with a line of it.';
COMMENT ON COLUMN stats.product_hourly_revenue.units IS 'Units bought.';
COMMENT ON COLUMN stats.product_hourly_revenue.refunded_units IS 'Units returned.';

CREATE TABLE stats.user_daily_revenue (
	project smallint NOT NULL,
	user_n bigint NOT NULL,
	day date NOT NULL,
	currency text COLLATE "C" NOT NULL,
	lane smallint NOT NULL,
	gross_minor bigint NOT NULL DEFAULT 0,
	refunded_minor bigint NOT NULL DEFAULT 0,
	orders bigint NOT NULL DEFAULT 0,
	units bigint NOT NULL DEFAULT 0,
	refunded_units bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (project, user_n, day, currency, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.user_daily_revenue IS 'Money per user and day.';
COMMENT ON COLUMN stats.user_daily_revenue.project IS 'The project.';
COMMENT ON COLUMN stats.user_daily_revenue.user_n IS 'The user (ingest.users.n).';
COMMENT ON COLUMN stats.user_daily_revenue.day IS 'Day of ts in the project''s time zone.';
COMMENT ON COLUMN stats.user_daily_revenue.currency IS 'ISO 4217 code of the amounts.';
COMMENT ON COLUMN stats.user_daily_revenue.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.user_daily_revenue.gross_minor IS 'Amounts of orders, in minor units.';
COMMENT ON COLUMN stats.user_daily_revenue.refunded_minor IS 'Amounts of refunds, in minor units.';
COMMENT ON COLUMN stats.user_daily_revenue.orders IS 'Orders. Of a product: orders with a line of it.';
COMMENT ON COLUMN stats.user_daily_revenue.units IS 'Units bought.';
COMMENT ON COLUMN stats.user_daily_revenue.refunded_units IS 'Units returned.';

CREATE TABLE stats.daily_users (
	project smallint NOT NULL,
	day date NOT NULL,
	lane smallint NOT NULL,
	sketch bytea NOT NULL,
	PRIMARY KEY (project, day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.daily_users IS 'Unique users per day, for ranges of days.';
COMMENT ON COLUMN stats.daily_users.project IS 'The project.';
COMMENT ON COLUMN stats.daily_users.day IS 'Day of ts in the project''s time zone.';
COMMENT ON COLUMN stats.daily_users.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.daily_users.sketch IS 'HyperLogLog sketch of the numbers of the users (package internal/stats/sketch); standard error 1.6 %. Merge the lanes.';

CREATE TABLE stats.product_daily_users (
	project smallint NOT NULL,
	product integer NOT NULL,
	day date NOT NULL,
	lane smallint NOT NULL,
	sketch bytea NOT NULL,
	PRIMARY KEY (project, product, day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.product_daily_users IS 'Unique users per product and day. Separate from the counts, because a sketch is large and rarely changes.';
COMMENT ON COLUMN stats.product_daily_users.project IS 'The project.';
COMMENT ON COLUMN stats.product_daily_users.product IS 'The product (catalog.products.n).';
COMMENT ON COLUMN stats.product_daily_users.day IS 'Day of ts in the project''s time zone.';
COMMENT ON COLUMN stats.product_daily_users.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.product_daily_users.sketch IS 'HyperLogLog sketch of the numbers of the users (package internal/stats/sketch); standard error 1.6 %. Merge the lanes.';

CREATE TABLE stats.name_daily_users (
	project smallint NOT NULL,
	name smallint NOT NULL,
	day date NOT NULL,
	lane smallint NOT NULL,
	sketch bytea NOT NULL,
	PRIMARY KEY (project, name, day, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.name_daily_users IS 'Unique users per event name and day.';
COMMENT ON COLUMN stats.name_daily_users.project IS 'The project.';
COMMENT ON COLUMN stats.name_daily_users.name IS 'The name of the event (ingest.names.n).';
COMMENT ON COLUMN stats.name_daily_users.day IS 'Day of ts in the project''s time zone.';
COMMENT ON COLUMN stats.name_daily_users.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.name_daily_users.sketch IS 'HyperLogLog sketch of the numbers of the users (package internal/stats/sketch); standard error 1.6 %. Merge the lanes.';

CREATE TABLE stats.daily_user_sets (
	project smallint NOT NULL,
	day date NOT NULL,
	chunk integer NOT NULL,
	lane smallint NOT NULL,
	users bytea NOT NULL,
	PRIMARY KEY (project, day, chunk, lane)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE stats.daily_user_sets IS 'The users of a day, exactly.';
COMMENT ON COLUMN stats.daily_user_sets.project IS 'The project.';
COMMENT ON COLUMN stats.daily_user_sets.day IS 'Day of ts in the project''s time zone.';
COMMENT ON COLUMN stats.daily_user_sets.chunk IS 'The users whose number divided by 65536 is this.';
COMMENT ON COLUMN stats.daily_user_sets.lane IS 'The worker lane that wrote the row.';
COMMENT ON COLUMN stats.daily_user_sets.users IS 'Roaring bitmap, in its portable format, of the remainders of the division. Unite the lanes.';

-- The rollups of products by day once more, in columns: what a ranking reads. The numbers of a day are the sums of all segments of
-- that day: each fold inserts what it adds, unmerged, in the transaction that adds to the rows. The leader of the aggregators merges
-- the segments of a day into one, and adds those of eight days up. A merge deletes what it adds up, so no state counts anything
-- twice. Every segment with more than a day has the sums of the merged segments of its days, and no unmerged one.
CREATE TABLE stats.product_segments (
	project smallint NOT NULL,
	merged boolean NOT NULL,
	days smallint NOT NULL CHECK (days IN (1, 8) AND (merged OR days = 1)),
	day date NOT NULL,
	id bigint GENERATED ALWAYS AS IDENTITY,
	totals bytea NOT NULL,
	products bytea NOT NULL,
	events bytea NOT NULL,
	views bytea NOT NULL,
	clicks bytea NOT NULL,
	add_to_carts bytea NOT NULL,
	purchases bytea NOT NULL,
	units bytea NOT NULL,
	PRIMARY KEY (project, merged, days, day, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
-- Compression would make the bytes a quarter shorter, and reading them several times slower.
ALTER TABLE stats.product_segments ALTER products SET STORAGE EXTERNAL, ALTER events SET STORAGE EXTERNAL, ALTER views SET STORAGE EXTERNAL,
	ALTER clicks SET STORAGE EXTERNAL, ALTER add_to_carts SET STORAGE EXTERNAL, ALTER purchases SET STORAGE EXTERNAL, ALTER units SET STORAGE EXTERNAL;
COMMENT ON TABLE stats.product_segments IS 'Counts of all products of a day or of eight, in columns. Derived from the same facts as stats.product_daily_stats, in the same transactions.';
COMMENT ON COLUMN stats.product_segments.project IS 'The project.';
COMMENT ON COLUMN stats.product_segments.merged IS 'false: what one fold added. true: the sum of such segments.';
COMMENT ON COLUMN stats.product_segments.days IS 'The number of days: 1 or 8.';
COMMENT ON COLUMN stats.product_segments.day IS 'The first day. Eight days begin with a day whose number since 1970 is a multiple of 8.';
COMMENT ON COLUMN stats.product_segments.id IS 'Tells segments of a day apart.';
COMMENT ON COLUMN stats.product_segments.totals IS 'The sum of each column, in their order. Variable-length integers, as in all columns of bytes.';
COMMENT ON COLUMN stats.product_segments.products IS 'Products (catalog.products.n), ascending, each as the difference to the one before.';
COMMENT ON COLUMN stats.product_segments.events IS 'Of each product: as in stats.product_daily_stats.';
COMMENT ON COLUMN stats.product_segments.views IS 'Of each product: as in stats.product_daily_stats.';
COMMENT ON COLUMN stats.product_segments.clicks IS 'Of each product: as in stats.product_daily_stats.';
COMMENT ON COLUMN stats.product_segments.add_to_carts IS 'Of each product: as in stats.product_daily_stats.';
COMMENT ON COLUMN stats.product_segments.purchases IS 'Of each product: as in stats.product_daily_stats.';
COMMENT ON COLUMN stats.product_segments.units IS 'Of each product: as in stats.product_daily_stats.';

CREATE TABLE stats.product_revenue_segments (
	project smallint NOT NULL,
	merged boolean NOT NULL,
	days smallint NOT NULL CHECK (days IN (1, 8) AND (merged OR days = 1)),
	day date NOT NULL,
	currency text COLLATE "C" NOT NULL,
	id bigint GENERATED ALWAYS AS IDENTITY,
	totals bytea NOT NULL,
	products bytea NOT NULL,
	gross_minor bytea NOT NULL,
	refunded_minor bytea NOT NULL,
	orders bytea NOT NULL,
	units bytea NOT NULL,
	refunded_units bytea NOT NULL,
	PRIMARY KEY (project, merged, days, day, currency, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE stats.product_revenue_segments ALTER products SET STORAGE EXTERNAL, ALTER gross_minor SET STORAGE EXTERNAL,
	ALTER refunded_minor SET STORAGE EXTERNAL, ALTER orders SET STORAGE EXTERNAL, ALTER units SET STORAGE EXTERNAL, ALTER refunded_units SET STORAGE EXTERNAL;
COMMENT ON TABLE stats.product_revenue_segments IS 'Money of all products of a day or of eight in a currency, in columns. As stats.product_segments, derived from the same facts as stats.product_daily_revenue.';
COMMENT ON COLUMN stats.product_revenue_segments.project IS 'The project.';
COMMENT ON COLUMN stats.product_revenue_segments.merged IS 'false: what one fold added. true: the sum of such segments.';
COMMENT ON COLUMN stats.product_revenue_segments.days IS 'The number of days: 1 or 8.';
COMMENT ON COLUMN stats.product_revenue_segments.day IS 'The first day. Eight days begin with a day whose number since 1970 is a multiple of 8.';
COMMENT ON COLUMN stats.product_revenue_segments.currency IS 'ISO 4217 code of the amounts.';
COMMENT ON COLUMN stats.product_revenue_segments.id IS 'Tells segments of a day apart.';
COMMENT ON COLUMN stats.product_revenue_segments.totals IS 'The sum of each column, in their order.';
COMMENT ON COLUMN stats.product_revenue_segments.products IS 'Products (catalog.products.n), ascending, each as the difference to the one before.';
COMMENT ON COLUMN stats.product_revenue_segments.gross_minor IS 'Of each product: as in stats.product_daily_revenue.';
COMMENT ON COLUMN stats.product_revenue_segments.refunded_minor IS 'Of each product: as in stats.product_daily_revenue.';
COMMENT ON COLUMN stats.product_revenue_segments.orders IS 'Of each product: as in stats.product_daily_revenue.';
COMMENT ON COLUMN stats.product_revenue_segments.units IS 'Of each product: as in stats.product_daily_revenue.';
COMMENT ON COLUMN stats.product_revenue_segments.refunded_units IS 'Of each product: as in stats.product_daily_revenue.';

-- sum(bigint) adds up in numeric, which costs more than all the rest of a comparison of many rows.
CREATE AGGREGATE stats.total(bigint) (SFUNC = int8pl, STYPE = bigint, INITCOND = '0', COMBINEFUNC = int8pl, PARALLEL = SAFE);
COMMENT ON AGGREGATE stats.total(bigint) IS 'The sum, as bigint; 0 of no rows. A sum that does not fit is an error.';

-- Rankings read a range of days over all products.
CREATE INDEX product_daily_stats_day_idx ON stats.product_daily_stats (project, day);
CREATE INDEX product_daily_revenue_day_idx ON stats.product_daily_revenue (project, currency, day);
-- The leader looks for segments to merge.
CREATE INDEX product_segments_unmerged_idx ON stats.product_segments (project, day) WHERE NOT merged;
CREATE INDEX product_revenue_segments_unmerged_idx ON stats.product_revenue_segments (project, day, currency) WHERE NOT merged;
-- Rankings of users, reconcile and rebuild read other rollups by day, which is not first in their keys. Rows are inserted
-- roughly in the order of days, so BRIN is enough. Its cost for a fold is too small to measure, while a B-tree would need one
-- more insertion for each user and day. The minmax_multi operator class keeps a few late rows from widening a range.
CREATE INDEX product_hourly_stats_hour_idx ON stats.product_hourly_stats
	USING brin (hour timestamptz_minmax_multi_ops) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX user_daily_stats_day_idx ON stats.user_daily_stats
	USING brin (day date_minmax_multi_ops) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX product_name_daily_stats_day_idx ON stats.product_name_daily_stats
	USING brin (day date_minmax_multi_ops) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX product_hourly_revenue_hour_idx ON stats.product_hourly_revenue
	USING brin (hour timestamptz_minmax_multi_ops) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX user_daily_revenue_day_idx ON stats.user_daily_revenue
	USING brin (day date_minmax_multi_ops) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX product_daily_users_day_idx ON stats.product_daily_users
	USING brin (day date_minmax_multi_ops) WITH (pages_per_range = 32, autosummarize = on);

CREATE VIEW stats.daily AS
SELECT project, day,
	sum(events)::bigint AS events,
	sum(views)::bigint AS views,
	sum(clicks)::bigint AS clicks,
	sum(add_to_carts)::bigint AS add_to_carts,
	sum(purchases)::bigint AS purchases,
	sum(units)::bigint AS units
FROM stats.daily_stats
GROUP BY project, day;
COMMENT ON VIEW stats.daily IS 'stats.daily_stats, summed over the lanes.';

CREATE VIEW stats.hourly AS
SELECT project, hour,
	sum(events)::bigint AS events,
	sum(views)::bigint AS views,
	sum(clicks)::bigint AS clicks,
	sum(add_to_carts)::bigint AS add_to_carts,
	sum(purchases)::bigint AS purchases,
	sum(units)::bigint AS units
FROM stats.hourly_stats
GROUP BY project, hour;
COMMENT ON VIEW stats.hourly IS 'stats.hourly_stats, summed over the lanes.';

CREATE VIEW stats.product_daily AS
SELECT project, product, day,
	sum(events)::bigint AS events,
	sum(views)::bigint AS views,
	sum(clicks)::bigint AS clicks,
	sum(add_to_carts)::bigint AS add_to_carts,
	sum(purchases)::bigint AS purchases,
	sum(units)::bigint AS units
FROM stats.product_daily_stats
GROUP BY project, product, day;
COMMENT ON VIEW stats.product_daily IS 'stats.product_daily_stats, summed over the lanes.';

CREATE VIEW stats.product_hourly AS
SELECT project, product, hour,
	sum(events)::bigint AS events,
	sum(views)::bigint AS views,
	sum(clicks)::bigint AS clicks,
	sum(add_to_carts)::bigint AS add_to_carts,
	sum(purchases)::bigint AS purchases,
	sum(units)::bigint AS units
FROM stats.product_hourly_stats
GROUP BY project, product, hour;
COMMENT ON VIEW stats.product_hourly IS 'stats.product_hourly_stats, summed over the lanes.';

CREATE VIEW stats.user_daily AS
SELECT project, user_n, day,
	sum(events)::bigint AS events,
	sum(views)::bigint AS views,
	sum(clicks)::bigint AS clicks,
	sum(add_to_carts)::bigint AS add_to_carts,
	sum(purchases)::bigint AS purchases,
	sum(units)::bigint AS units
FROM stats.user_daily_stats
GROUP BY project, user_n, day;
COMMENT ON VIEW stats.user_daily IS 'stats.user_daily_stats, summed over the lanes.';

CREATE VIEW stats.name_daily AS
SELECT project, name, day,
	sum(events)::bigint AS events
FROM stats.name_daily_stats
GROUP BY project, name, day;
COMMENT ON VIEW stats.name_daily IS 'stats.name_daily_stats, summed over the lanes.';

CREATE VIEW stats.name_hourly AS
SELECT project, name, hour,
	sum(events)::bigint AS events
FROM stats.name_hourly_stats
GROUP BY project, name, hour;
COMMENT ON VIEW stats.name_hourly IS 'stats.name_hourly_stats, summed over the lanes.';

CREATE VIEW stats.product_name_daily AS
SELECT project, product, name, day,
	sum(events)::bigint AS events
FROM stats.product_name_daily_stats
GROUP BY project, product, name, day;
COMMENT ON VIEW stats.product_name_daily IS 'stats.product_name_daily_stats, summed over the lanes.';

CREATE VIEW stats.daily_money AS
SELECT project, day, currency,
	sum(gross_minor)::bigint AS gross_minor,
	sum(refunded_minor)::bigint AS refunded_minor,
	sum(orders)::bigint AS orders,
	sum(units)::bigint AS units,
	sum(refunded_units)::bigint AS refunded_units
FROM stats.daily_revenue
GROUP BY project, day, currency;
COMMENT ON VIEW stats.daily_money IS 'stats.daily_revenue, summed over the lanes.';

CREATE VIEW stats.hourly_money AS
SELECT project, hour, currency,
	sum(gross_minor)::bigint AS gross_minor,
	sum(refunded_minor)::bigint AS refunded_minor,
	sum(orders)::bigint AS orders,
	sum(units)::bigint AS units,
	sum(refunded_units)::bigint AS refunded_units
FROM stats.hourly_revenue
GROUP BY project, hour, currency;
COMMENT ON VIEW stats.hourly_money IS 'stats.hourly_revenue, summed over the lanes.';

CREATE VIEW stats.product_daily_money AS
SELECT project, product, day, currency,
	sum(gross_minor)::bigint AS gross_minor,
	sum(refunded_minor)::bigint AS refunded_minor,
	sum(orders)::bigint AS orders,
	sum(units)::bigint AS units,
	sum(refunded_units)::bigint AS refunded_units
FROM stats.product_daily_revenue
GROUP BY project, product, day, currency;
COMMENT ON VIEW stats.product_daily_money IS 'stats.product_daily_revenue, summed over the lanes.';

CREATE VIEW stats.product_hourly_money AS
SELECT project, product, hour, currency,
	sum(gross_minor)::bigint AS gross_minor,
	sum(refunded_minor)::bigint AS refunded_minor,
	sum(orders)::bigint AS orders,
	sum(units)::bigint AS units,
	sum(refunded_units)::bigint AS refunded_units
FROM stats.product_hourly_revenue
GROUP BY project, product, hour, currency;
COMMENT ON VIEW stats.product_hourly_money IS 'stats.product_hourly_revenue, summed over the lanes.';

CREATE VIEW stats.user_daily_money AS
SELECT project, user_n, day, currency,
	sum(gross_minor)::bigint AS gross_minor,
	sum(refunded_minor)::bigint AS refunded_minor,
	sum(orders)::bigint AS orders,
	sum(units)::bigint AS units,
	sum(refunded_units)::bigint AS refunded_units
FROM stats.user_daily_revenue
GROUP BY project, user_n, day, currency;
COMMENT ON VIEW stats.user_daily_money IS 'stats.user_daily_revenue, summed over the lanes.';

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA stats TO hp_aggregator;
GRANT SELECT ON ALL TABLES IN SCHEMA stats TO hp_analytics;
-- An export of a user has what is counted of the user.
GRANT USAGE ON SCHEMA stats TO hp_ingest;
GRANT SELECT ON stats.user_daily, stats.user_daily_money TO hp_ingest;

-- The progress of `hp-analytics rebuild`, from which an interrupted rebuild is resumed.
CREATE TABLE stats.rebuilds (
	id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	started_at  timestamptz NOT NULL DEFAULT now(),
	finished_at timestamptz,
	from_day    date NOT NULL,
	to_day      date NOT NULL,
	project     smallint NOT NULL,
	CHECK (from_day <= to_day)
);
COMMENT ON TABLE stats.rebuilds IS 'Rebuilds of the rollups of a project from raw rows, one row for each requested range.';
COMMENT ON COLUMN stats.rebuilds.id IS 'Ascending.';
COMMENT ON COLUMN stats.rebuilds.started_at IS 'When it was first started.';
COMMENT ON COLUMN stats.rebuilds.finished_at IS 'When its last day was done. NULL while it runs or after it was interrupted.';
COMMENT ON COLUMN stats.rebuilds.from_day IS 'The first day of the project.';
COMMENT ON COLUMN stats.rebuilds.to_day IS 'The last day of the project (inclusive).';
COMMENT ON COLUMN stats.rebuilds.project IS 'The project.';

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
COMMENT ON COLUMN stats.rebuild_days.day IS 'The day of the project.';
COMMENT ON COLUMN stats.rebuild_days.rows IS 'Raw rows that were counted.';
COMMENT ON COLUMN stats.rebuild_days.removed IS 'Rollup rows, in all lanes, that differed or were surplus.';
COMMENT ON COLUMN stats.rebuild_days.added IS 'Rollup rows that replaced them or were missing.';
COMMENT ON COLUMN stats.rebuild_days.swapped_at IS 'When its rollups were replaced.';
GRANT SELECT, INSERT, UPDATE, DELETE ON stats.rebuilds, stats.rebuild_days TO hp_aggregator;

-- The results of `hp-analytics reconcile`, which metrics and `hp-analytics doctor` read.
CREATE TABLE stats.reconciles (
	id          bigint GENERATED ALWAYS AS IDENTITY,
	begun_at    timestamptz NOT NULL,
	finished_at timestamptz NOT NULL DEFAULT now(),
	from_day    date,
	to_day      date,
	rows        bigint NOT NULL,
	compared    bigint NOT NULL,
	days        integer NOT NULL,
	differences integer NOT NULL,
	project     smallint NOT NULL,
	PRIMARY KEY (project, id)
);
COMMENT ON TABLE stats.reconciles IS 'Results of reconciliations, one row for each project that was recounted. Of each project, the newest 100 of all days are kept, and the newest 100 of some days.';
COMMENT ON COLUMN stats.reconciles.id IS 'Ascending.';
COMMENT ON COLUMN stats.reconciles.begun_at IS 'When its snapshot was taken.';
COMMENT ON COLUMN stats.reconciles.finished_at IS 'When it was done.';
COMMENT ON COLUMN stats.reconciles.from_day IS 'The first day that it was asked for. NULL for no bound.';
COMMENT ON COLUMN stats.reconciles.to_day IS 'The last day that it was asked for (inclusive). NULL for no bound.';
COMMENT ON COLUMN stats.reconciles.rows IS 'Raw rows that were counted.';
COMMENT ON COLUMN stats.reconciles.compared IS 'Rollup rows that were compared.';
COMMENT ON COLUMN stats.reconciles.days IS 'Days of the project that were recounted.';
COMMENT ON COLUMN stats.reconciles.differences IS 'Differences that were found.';
COMMENT ON COLUMN stats.reconciles.project IS 'The project.';
GRANT SELECT, INSERT, DELETE ON stats.reconciles TO hp_aggregator;
-- GET /system shows them, and what goes on.
GRANT SELECT ON stats.rebuilds, stats.reconciles TO hp_analytics;

-- Which time zone holds when. Every statement that attributes rows to days and hours goes by this table, and no other.
CREATE TABLE stats.zones (
	project   smallint NOT NULL,
	since     timestamptz NOT NULL,
	time_zone text NOT NULL,
	PRIMARY KEY (project, since)
);
COMMENT ON TABLE stats.zones IS 'The time zones by whose days and hours the rollups of a project count. Each holds until the next one begins. When the setting of a project names another zone than its last one here, the aggregator changes it in steps (rebuild.MoveZone): the start of the last zone moves back, day by day, as far as there are raw rows.';
COMMENT ON COLUMN stats.zones.project IS 'The project.';
COMMENT ON COLUMN stats.zones.since IS 'From when on the zone holds: rows with a ts before belong to the days of the zone before. -infinity for the first one.';
COMMENT ON COLUMN stats.zones.time_zone IS 'IANA name.';

CREATE TABLE stats.zone_changes (
	project     smallint PRIMARY KEY,
	from_zone   text NOT NULL,
	to_zone     text NOT NULL,
	days_done   integer NOT NULL,
	days_total  integer NOT NULL,
	days_kept   integer NOT NULL DEFAULT 0,
	rows        bigint NOT NULL DEFAULT 0,
	started_at  timestamptz NOT NULL DEFAULT now(),
	finished_at timestamptz,
	failure     text,
	failed_at   timestamptz,
	CHECK (days_done BETWEEN 0 AND days_total)
);
COMMENT ON TABLE stats.zone_changes IS 'The last change in steps of the time zone of each project that had one. stats.zones alone says what holds; this is its progress.';
COMMENT ON COLUMN stats.zone_changes.project IS 'The project.';
COMMENT ON COLUMN stats.zone_changes.from_zone IS 'The zone before.';
COMMENT ON COLUMN stats.zone_changes.to_zone IS 'The new zone.';
COMMENT ON COLUMN stats.zone_changes.days_done IS 'Days with numbers that are counted by the new zone.';
COMMENT ON COLUMN stats.zone_changes.days_total IS 'Days with numbers whose raw rows existed when the last step began.';
COMMENT ON COLUMN stats.zone_changes.days_kept IS 'Days with numbers that keep a former zone, because raw events of them were dropped before the last step began.';
COMMENT ON COLUMN stats.zone_changes.rows IS 'Raw rows that were counted again.';
COMMENT ON COLUMN stats.zone_changes.started_at IS 'When it began.';
COMMENT ON COLUMN stats.zone_changes.finished_at IS 'When no day was left. NULL until then: the next step continues it.';
COMMENT ON COLUMN stats.zone_changes.failure IS 'Why the last step failed. NULL if it did not. The aggregator tries again.';
COMMENT ON COLUMN stats.zone_changes.failed_at IS 'When it failed.';

-- Every project has a history from its first moment on, so that no fold needs to choose a zone.
CREATE FUNCTION stats.begin_zones() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	INSERT INTO stats.zones (project, since, time_zone) VALUES (NEW.id, '-infinity', NEW.time_zone);
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION stats.begin_zones() IS 'Gives a new project its time zone from -infinity on.';
REVOKE ALL ON FUNCTION stats.begin_zones() FROM PUBLIC;
CREATE TRIGGER begin_zones AFTER INSERT ON auth.projects FOR EACH ROW EXECUTE FUNCTION stats.begin_zones();
INSERT INTO stats.zones (project, since, time_zone) SELECT id, '-infinity', time_zone FROM auth.projects;
GRANT SELECT, INSERT, UPDATE, DELETE ON stats.zones, stats.zone_changes TO hp_aggregator;
-- Reports, and reads of raw rows, go by the days of projects.
GRANT USAGE ON SCHEMA stats TO hp_ingest;
GRANT SELECT ON stats.zones TO hp_analytics, hp_ingest;
GRANT SELECT ON stats.zone_changes TO hp_analytics;
-- Auth shows how far a change of a time zone is.
GRANT USAGE ON SCHEMA stats TO hp_auth;
GRANT SELECT ON stats.zones, stats.zone_changes TO hp_auth;

-- A rebuild counts a day of a project into these tables, then replaces the rows of the day in stats. They are unlogged, because
-- after any interruption, a crash of Postgres included, the day starts again.
CREATE SCHEMA shadow;
COMMENT ON SCHEMA shadow IS 'Rollups of the day that a rebuild is counting. The tables have the names of those in stats and are emptied before each day.';
CREATE UNLOGGED TABLE shadow.daily_stats
	(LIKE stats.daily_stats INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (project, day, lane));
COMMENT ON TABLE shadow.daily_stats IS 'As stats.daily_stats, of the day being rebuilt.';
CREATE UNLOGGED TABLE shadow.hourly_stats
	(LIKE stats.hourly_stats INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (project, hour, lane));
COMMENT ON TABLE shadow.hourly_stats IS 'As stats.hourly_stats, of the day being rebuilt.';
CREATE UNLOGGED TABLE shadow.product_daily_stats
	(LIKE stats.product_daily_stats INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (project, product, day, lane));
COMMENT ON TABLE shadow.product_daily_stats IS 'As stats.product_daily_stats, of the day being rebuilt.';
CREATE UNLOGGED TABLE shadow.product_hourly_stats
	(LIKE stats.product_hourly_stats INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (project, product, hour, lane));
COMMENT ON TABLE shadow.product_hourly_stats IS 'As stats.product_hourly_stats, of the day being rebuilt.';
CREATE UNLOGGED TABLE shadow.user_daily_stats
	(LIKE stats.user_daily_stats INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (project, user_n, day, lane));
COMMENT ON TABLE shadow.user_daily_stats IS 'As stats.user_daily_stats, of the day being rebuilt.';
CREATE UNLOGGED TABLE shadow.name_daily_stats
	(LIKE stats.name_daily_stats INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (project, name, day, lane));
COMMENT ON TABLE shadow.name_daily_stats IS 'As stats.name_daily_stats, of the day being rebuilt.';
CREATE UNLOGGED TABLE shadow.name_hourly_stats
	(LIKE stats.name_hourly_stats INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (project, name, hour, lane));
COMMENT ON TABLE shadow.name_hourly_stats IS 'As stats.name_hourly_stats, of the day being rebuilt.';
CREATE UNLOGGED TABLE shadow.product_name_daily_stats
	(LIKE stats.product_name_daily_stats INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (project, product, name, day, lane));
COMMENT ON TABLE shadow.product_name_daily_stats IS 'As stats.product_name_daily_stats, of the day being rebuilt.';
CREATE UNLOGGED TABLE shadow.daily_revenue
	(LIKE stats.daily_revenue INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (project, day, currency, lane));
COMMENT ON TABLE shadow.daily_revenue IS 'As stats.daily_revenue, of the day being rebuilt.';
CREATE UNLOGGED TABLE shadow.hourly_revenue
	(LIKE stats.hourly_revenue INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (project, hour, currency, lane));
COMMENT ON TABLE shadow.hourly_revenue IS 'As stats.hourly_revenue, of the day being rebuilt.';
CREATE UNLOGGED TABLE shadow.product_daily_revenue
	(LIKE stats.product_daily_revenue INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (project, product, day, currency, lane));
COMMENT ON TABLE shadow.product_daily_revenue IS 'As stats.product_daily_revenue, of the day being rebuilt.';
CREATE UNLOGGED TABLE shadow.product_hourly_revenue
	(LIKE stats.product_hourly_revenue INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (project, product, hour, currency, lane));
COMMENT ON TABLE shadow.product_hourly_revenue IS 'As stats.product_hourly_revenue, of the day being rebuilt.';
CREATE UNLOGGED TABLE shadow.user_daily_revenue
	(LIKE stats.user_daily_revenue INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (project, user_n, day, currency, lane));
COMMENT ON TABLE shadow.user_daily_revenue IS 'As stats.user_daily_revenue, of the day being rebuilt.';
CREATE UNLOGGED TABLE shadow.daily_users
	(LIKE stats.daily_users INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (project, day, lane));
COMMENT ON TABLE shadow.daily_users IS 'As stats.daily_users, of the day being rebuilt.';
CREATE UNLOGGED TABLE shadow.product_daily_users
	(LIKE stats.product_daily_users INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (project, product, day, lane));
COMMENT ON TABLE shadow.product_daily_users IS 'As stats.product_daily_users, of the day being rebuilt.';
CREATE UNLOGGED TABLE shadow.name_daily_users
	(LIKE stats.name_daily_users INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (project, name, day, lane));
COMMENT ON TABLE shadow.name_daily_users IS 'As stats.name_daily_users, of the day being rebuilt.';
CREATE UNLOGGED TABLE shadow.daily_user_sets
	(LIKE stats.daily_user_sets INCLUDING DEFAULTS INCLUDING COMMENTS, PRIMARY KEY (project, day, chunk, lane));
COMMENT ON TABLE shadow.daily_user_sets IS 'As stats.daily_user_sets, of the day being rebuilt.';
GRANT USAGE ON SCHEMA shadow TO hp_aggregator;
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON ALL TABLES IN SCHEMA shadow TO hp_aggregator;
