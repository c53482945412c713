ALTER TABLE ingest.purchases ALTER COLUMN user_id TYPE text COLLATE "default";
ALTER TABLE ingest.events
	ALTER COLUMN type TYPE text COLLATE "default",
	ALTER COLUMN user_id TYPE text COLLATE "default";
ALTER TABLE ingest.purchases ALTER COLUMN received_at DROP DEFAULT;
ALTER TABLE ingest.events ALTER COLUMN received_at DROP DEFAULT;
