-- Readers must be able to tell up to when nothing can come any more. now() is the start of a transaction, when it holds no
-- lock yet that would tell of it; clock_timestamp() is read while it holds the one on this table until its end.
ALTER TABLE ingest.batches ALTER COLUMN received_at SET DEFAULT clock_timestamp();
COMMENT ON COLUMN ingest.batches.received_at IS
	'When it was written, shortly before the commit. Read while the transaction holds its lock on this table: analytics relies on that.';
