-- COPY takes rows without a value for received_at, as inserts do.
ALTER TABLE ingest.events ALTER COLUMN received_at SET DEFAULT now();
ALTER TABLE ingest.purchases ALTER COLUMN received_at SET DEFAULT now();

-- Names are compared byte by byte, whatever the collation of the database: that is what ingest and the aggregator order
-- rows by, and a linguistic comparison costs several times as much in every step down an index.
ALTER TABLE ingest.events
	ALTER COLUMN user_id TYPE text COLLATE "C",
	ALTER COLUMN type TYPE text COLLATE "C";
ALTER TABLE ingest.purchases ALTER COLUMN user_id TYPE text COLLATE "C";
