-- +goose NO TRANSACTION
-- +goose Up
CREATE INDEX CONCURRENTLY customers_name ON customers (name);
CREATE INDEX CONCURRENTLY customers_mail ON customers (mail);

-- +goose Down
DROP INDEX CONCURRENTLY customers_name;
