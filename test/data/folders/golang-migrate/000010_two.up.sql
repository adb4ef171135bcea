SET lock_timeout = '2s';
CREATE INDEX CONCURRENTLY customers_vip ON customers (vip);
