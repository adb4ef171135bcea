-- Deploy shop:customers/vip to pg

CREATE INDEX CONCURRENTLY customers_vip ON customers (vip);
