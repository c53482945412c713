-- The tables as they are usually made at first: foreign keys, no indexes but those of the keys.
DROP SCHEMA IF EXISTS baseline CASCADE;
CREATE SCHEMA baseline;
CREATE TABLE baseline.users (
	id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	email text NOT NULL UNIQUE
);
CREATE TABLE baseline.products (
	id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name        text NOT NULL,
	price_cents bigint NOT NULL CHECK (price_cents >= 0)
);
CREATE TABLE baseline.events (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	user_id    bigint NOT NULL REFERENCES baseline.users (id),
	product_id bigint NOT NULL REFERENCES baseline.products (id),
	event_type text NOT NULL,
	ts         timestamptz NOT NULL,
	properties jsonb NOT NULL DEFAULT '{}'
);
CREATE TABLE baseline.product_daily_stats (
	product_id   bigint NOT NULL REFERENCES baseline.products (id),
	day          date NOT NULL,
	views        bigint NOT NULL DEFAULT 0,
	clicks       bigint NOT NULL DEFAULT 0,
	add_to_carts bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (product_id, day)
);
CREATE TABLE baseline.user_daily_stats (
	user_id bigint NOT NULL REFERENCES baseline.users (id),
	day     date NOT NULL,
	events  bigint NOT NULL DEFAULT 0,
	PRIMARY KEY (user_id, day)
);
INSERT INTO baseline.users (email) SELECT 'user-' || n || '@example.com' FROM generate_series(1, 1000) AS n;
INSERT INTO baseline.products (name, price_cents) SELECT 'Product ' || n, 100 + n FROM generate_series(1, 1000) AS n;
ANALYZE baseline.users, baseline.products;
