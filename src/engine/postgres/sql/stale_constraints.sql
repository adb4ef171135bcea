-- Constraints that hold for new rows only. NOT ENFORCED ones (PostgreSQL 18) hold for none, and are meant so.
SELECT n.nspname AS schema, t.relname AS "table", k.conname AS name,
    CASE k.contype WHEN 'c' THEN 'check' WHEN 'f' THEN 'foreign key' ELSE 'not null' END AS type,
    t.relpages::int8 * pg_catalog.current_setting('block_size')::int8 AS table_bytes,
    EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype = 'relation' AND l.relation = t.oid
            AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareRowExclusiveLock', 'AccessExclusiveLock')
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a
                            WHERE a.pid = l.pid AND a.backend_type = 'autovacuum worker')) AS busy
FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class t ON t.oid = k.conrelid
    JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE NOT k.convalidated AND k.contype IN ('c', 'f', 'n') AND k.coninhcount = 0
    AND k.conenforced --@18+
    AND n.nspname !~ '^(pg_|stoa_scratch_)' AND n.nspname NOT IN ('information_schema', 'stoa')
ORDER BY n.nspname, t.relname, k.conname
