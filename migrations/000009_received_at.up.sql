-- Analytics determines the watermark before which every received batch is committed, from the locks on this table. now() is the
-- start of the transaction, when it does not hold the lock yet. clock_timestamp() is read while it holds the lock.
ALTER TABLE ingest.batches ALTER COLUMN received_at SET DEFAULT clock_timestamp();
COMMENT ON COLUMN ingest.batches.received_at IS
	'When it was written, shortly before the commit. The clock is read while the transaction holds its lock on this table, which analytics relies on.';
