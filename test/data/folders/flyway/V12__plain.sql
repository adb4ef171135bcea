ALTER TABLE customers ADD COLUMN seen timestamptz;
CREATE INDEX CONCURRENTLY customers_seen ON customers (seen);
