ALTER TABLE ingest.batches ALTER COLUMN received_at SET DEFAULT now();
COMMENT ON COLUMN ingest.batches.received_at IS 'When it was committed (start of the transaction).';
