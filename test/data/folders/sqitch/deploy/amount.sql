-- Deploy shop:amount to pg

BEGIN;
ALTER TABLE orders ALTER COLUMN amount SET NOT NULL;
COMMIT;
