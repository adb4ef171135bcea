--liquibase formatted sql

--changeset anna:1
CREATE TABLE orders (id bigint PRIMARY KEY);
--rollback DROP TABLE orders;

--changeset anna:2 runInTransaction:false
CREATE INDEX CONCURRENTLY customers_name ON customers (name);

--changeset "bert b":three
ALTER TABLE customers ADD COLUMN vip boolean;
CREATE INDEX CONCURRENTLY customers_vip ON customers (vip);
/* liquibase rollback
ALTER TABLE customers DROP COLUMN vip;
*/
