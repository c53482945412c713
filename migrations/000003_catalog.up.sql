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
COMMENT ON COLUMN catalog.products.n IS 'The product in raw rows and rollups, where a uuid would take four times the space. Later products have higher numbers: lists are sorted by it, newest first.';
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
COMMENT ON COLUMN catalog.products.created_at IS 'When the product was created.';
COMMENT ON COLUMN catalog.products.updated_at IS 'When the product was last changed.';
COMMENT ON COLUMN catalog.products.search IS 'What a search looks at: name and SKU in lower case. Neither has a line break, so no text that is searched for spans both.';

-- Lists are paged by n, newest first, and filtered by status and often by category; a list of both statuses merges two scans. They are
-- sorted by -n, so that the planner cannot take the index of n, which has the products of all projects and statuses. Rankings of a category
-- need the numbers of its products.
CREATE INDEX products_status_idx ON catalog.products (project, status, (-n)) INCLUDE (n);
CREATE INDEX products_category_idx ON catalog.products (project, category, status, (-n)) INCLUDE (n);
CREATE INDEX products_placeholder_idx ON catalog.products (project) WHERE placeholder;

-- A search asks an index for the products of a slice of the catalog that have trigrams of a text. So what it reads is bounded by the
-- size of a slice, however often the trigrams occur. The products of a project whose numbers divided by 65,536 are the same are a wide slice,
-- and those divided by 2,048 a narrow one. The keys are numbers, which cost a third of the time of texts when a product is stored.
CREATE FUNCTION catalog.wide_slice(project smallint, slice integer) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN (1::bigint << 60) + (project::bigint << 32) + slice;
COMMENT ON FUNCTION catalog.wide_slice IS 'The key of the wide slice of products with n / 65536 = slice.';
CREATE FUNCTION catalog.narrow_slice(project smallint, slice integer) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN (1::bigint << 61) + (project::bigint << 32) + slice;
COMMENT ON FUNCTION catalog.narrow_slice IS 'The key of the narrow slice of products with n / 2048 = slice.';
CREATE FUNCTION catalog.trigram(text bytea, i integer) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN (get_byte(text, i) << 16) + (get_byte(text, i + 1) << 8) + get_byte(text, i + 2);
COMMENT ON FUNCTION catalog.trigram IS 'The key of three adjacent bytes of a text.';
CREATE FUNCTION catalog.search_keys(project smallint, n integer, search text) RETURNS bigint[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN ARRAY(SELECT catalog.trigram(bytes, i) FROM (SELECT convert_to(search, 'UTF8') AS bytes) AS text, generate_series(0, length(bytes) - 3) AS i)
		|| ARRAY[catalog.wide_slice(project, n / 65536), catalog.narrow_slice(project, n / 2048)];
COMMENT ON FUNCTION catalog.search_keys IS 'What the index for searches has of a product: every trigram of its name and SKU, and its slices.';
CREATE FUNCTION catalog.sought_keys(text text) RETURNS bigint[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
	RETURN ARRAY(SELECT catalog.trigram(bytes, i) FROM (SELECT convert_to(text, 'UTF8') AS bytes) AS text,
		generate_series(length(bytes) - 3, greatest(0, length(bytes) - 24), -3) AS i);
COMMENT ON FUNCTION catalog.sought_keys IS 'The trigrams by which a text is found: those side by side at its end, eight at most. Each more takes time and leaves out little.';
-- Each search of a slice reads what is pending, so the pending list is short.
CREATE INDEX products_search_idx ON catalog.products USING gin (catalog.search_keys(project, n, search)) WITH (gin_pending_list_limit = 64);

GRANT SELECT, INSERT, UPDATE ON catalog.products TO hp_catalog;
GRANT SELECT ON catalog.products TO hp_ingest, hp_analytics, hp_aggregator;
-- Ingest creates placeholders.
GRANT INSERT (id, project, placeholder, sku, name, price_minor, currency) ON catalog.products TO hp_ingest;
