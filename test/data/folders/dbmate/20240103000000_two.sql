-- migrate:up transaction:false
CREATE INDEX CONCURRENTLY customers_a ON customers (a);
CREATE INDEX CONCURRENTLY customers_b ON customers (b);

-- migrate:down
DROP INDEX customers_a;
