-- Foreign keys, and all tables that a validation reads: partitions where an end is partitioned.
WITH RECURSIVE keys AS (
    SELECT k.oid, k.conname, k.convalidated, k.conrelid, k.confrelid FROM pg_catalog.pg_constraint k
    WHERE k.contype = 'f'
), ends AS (
    SELECT k.oid, e.relid FROM keys k, LATERAL (VALUES (k.conrelid), (k.confrelid)) e(relid)
    UNION
    SELECT e.oid, h.inhrelid FROM ends e
        JOIN pg_catalog.pg_class c ON c.oid = e.relid AND c.relkind = 'p'
        JOIN pg_catalog.pg_inherits h ON h.inhparent = e.relid
)
SELECT k.oid::int8 AS id, k.conname AS name, k.convalidated AS validated,
    (SELECT pg_catalog.json_agg(e.relid::int8) FROM ends e WHERE e.oid = k.oid) AS tables
FROM keys k
