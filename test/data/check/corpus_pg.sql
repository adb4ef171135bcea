CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, email varchar(50), country text);
CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint, qty int, code varchar(10), note text,
    amount numeric(12,2), placed timestamp, flag boolean, data jsonb, token uuid, ip inet, part numeric,
    CONSTRAINT orders_qty CHECK (qty > 0));
ALTER TABLE orders ADD CONSTRAINT orders_note CHECK (note IS NOT NULL) NOT VALID;
ALTER TABLE orders ADD CONSTRAINT orders_code CHECK (code IS NOT NULL);
CREATE INDEX orders_placed ON orders (placed);
CREATE UNIQUE INDEX orders_token ON orders (token);
CREATE TABLE events (id int NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE logs (id int NOT NULL, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE logs_rest PARTITION OF logs DEFAULT;
CREATE TABLE loose (id int NOT NULL, at date NOT NULL);
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE VIEW order_list AS SELECT id, note FROM orders;
CREATE MATERIALIZED VIEW order_sums AS SELECT customer_id, count(*) AS total FROM orders GROUP BY customer_id;
CREATE SEQUENCE numbers;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
