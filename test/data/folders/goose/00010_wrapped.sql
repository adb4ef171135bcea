-- +goose Up
CREATE INDEX CONCURRENTLY customers_vip ON customers (vip);
