ALTER TABLE customers ADD COLUMN vip boolean;
CREATE INDEX CONCURRENTLY customers_vip ON customers (vip);
