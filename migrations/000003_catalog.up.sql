-- Substring search in names and SKUs, within a project. The extensions are trusted: the owner of the database may create them.
CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public;
CREATE EXTENSION IF NOT EXISTS btree_gin SCHEMA public;

CREATE SCHEMA catalog;
COMMENT ON SCHEMA catalog IS 'Products. Owned by the catalog service; others may read them.';
GRANT USAGE ON SCHEMA catalog TO hp_catalog, hp_ingest, hp_analytics, hp_aggregator;

CREATE TABLE catalog.products (
	id          uuid PRIMARY KEY,
	n           integer GENERATED ALWAYS AS IDENTITY CONSTRAINT products_n_key UNIQUE,
	project     smallint NOT NULL REFERENCES auth.projects,
	placeholder boolean NOT NULL DEFAULT false,
	sku         text COLLATE "C" NOT NULL CHECK (octet_length(sku) BETWEEN 1 AND 200),
	name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
	description text NOT NULL DEFAULT '',
	category    text NOT NULL DEFAULT '',
	price_minor bigint NOT NULL CHECK (price_minor >= 0),
	currency    text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
	prices      jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(prices) = 'object'),
	status      text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'archived')),
	attributes  jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(attributes) = 'object'),
	version     bigint NOT NULL DEFAULT 1 CHECK (version > 0),
	created_at  timestamptz NOT NULL DEFAULT now(),
	updated_at  timestamptz NOT NULL DEFAULT now(),
	search      text COLLATE "C" NOT NULL GENERATED ALWAYS AS (lower((name || E'\n' || sku) COLLATE "default")) STORED,
	CONSTRAINT products_sku_key UNIQUE (project, sku)
);
COMMENT ON TABLE catalog.products IS 'Products of events and purchases. A product is archived, never deleted, so its history stays.';
COMMENT ON COLUMN catalog.products.id IS 'UUIDv7.';
COMMENT ON COLUMN catalog.products.n IS 'The product in raw rows and rollups, where a uuid would take four times the space.';
COMMENT ON COLUMN catalog.products.project IS 'The project.';
COMMENT ON COLUMN catalog.products.placeholder IS 'Whether ingest created it for an unknown SKU and nobody has described it yet. It has no price.';
COMMENT ON COLUMN catalog.products.sku IS 'Stock-keeping unit: the customer''s own id of the product, unique in its project. Any text.';
COMMENT ON COLUMN catalog.products.name IS 'Display name.';
COMMENT ON COLUMN catalog.products.description IS 'Free text; may be empty.';
COMMENT ON COLUMN catalog.products.category IS 'One category to filter by; empty for none.';
COMMENT ON COLUMN catalog.products.price_minor IS 'Price of one unit in minor units of the currency (cents).';
COMMENT ON COLUMN catalog.products.currency IS 'ISO 4217 code of the currency of price_minor.';
COMMENT ON COLUMN catalog.products.prices IS 'Prices in further currencies: an object of ISO 4217 codes and minor units.';
COMMENT ON COLUMN catalog.products.status IS 'active or archived. Facts about an archived product are still counted; it is not in lists of active products.';
COMMENT ON COLUMN catalog.products.attributes IS 'The customer''s own properties, a JSON object.';
COMMENT ON COLUMN catalog.products.version IS 'Incremented by each change; the ETag.';
COMMENT ON COLUMN catalog.products.created_at IS 'When the product was created. Lists are sorted by it, newest first.';
COMMENT ON COLUMN catalog.products.updated_at IS 'When the product was last changed.';
COMMENT ON COLUMN catalog.products.search IS 'What a search looks at: name and SKU in lower case. Neither has a line break, so no text that is searched for spans both.';

-- Lists are paged by (created_at, id), newest first, and filtered by status and often by category; a list of both statuses merges
-- two scans. Rankings of a category need the numbers of its products.
CREATE INDEX products_status_created_idx ON catalog.products (project, status, created_at DESC, id DESC);
CREATE INDEX products_category_created_idx ON catalog.products (project, category, status, created_at DESC, id DESC) INCLUDE (n);
CREATE INDEX products_placeholder_idx ON catalog.products (project) WHERE placeholder;
-- Each search reads what is pending, so the pending list is short.
CREATE INDEX products_search_idx ON catalog.products USING gin (project, search public.gin_trgm_ops) WITH (gin_pending_list_limit = 512);

GRANT SELECT, INSERT, UPDATE ON catalog.products TO hp_catalog;
GRANT SELECT ON catalog.products TO hp_ingest, hp_analytics, hp_aggregator;
-- Ingest creates placeholders.
GRANT INSERT (id, project, placeholder, sku, name, price_minor, currency) ON catalog.products TO hp_ingest;
