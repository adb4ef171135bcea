-- Every index of the users' tables: what it is on, what stands on it, how often it was used. Sizes are those of
-- the catalog, and expressions its trees without places, because functions that would tell them better wait for
-- locks.
-- A line that ends in "--@11+" is for PostgreSQL 11 and later only, "--@11-" for what is older.
WITH RECURSIVE busy AS (
    SELECT l.relation FROM pg_catalog.pg_locks l
        LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
    WHERE l.locktype = 'relation' AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d
                                                    WHERE d.datname = pg_catalog.current_database())
        AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'AccessExclusiveLock')
        AND coalesce(a.backend_type, '') <> 'autovacuum worker'
    UNION ALL SELECT p.relid FROM pg_catalog.pg_stat_progress_create_index p --@12+
), whole(root, id) AS (
    SELECT c.oid, c.oid FROM pg_catalog.pg_class c WHERE c.relkind = 'I'
    UNION ALL
    SELECT w.root, h.inhrelid FROM whole w JOIN pg_catalog.pg_inherits h ON h.inhparent = w.id
), whole_scans AS (
    SELECT w.root, pg_catalog.sum(pg_catalog.pg_stat_get_numscans(w.id))::int8 AS scans,
        pg_catalog.sum(c.relpages)::int8 AS pages
    FROM whole w JOIN pg_catalog.pg_class c ON c.oid = w.id GROUP BY w.root
), block(bytes) AS (
    SELECT pg_catalog.current_setting('block_size')::int8
), idx AS (
    SELECT i.*,
        i.indnatts AS key_count --@11-
        i.indnkeyatts AS key_count --@11+
    FROM pg_catalog.pg_index i
)
SELECT n.nspname AS schema, t.relname AS "table", x.relname AS name, m.amname AS method,
    coalesce(ws.pages, x.relpages::int8) * block.bytes AS bytes, t.relpages::int8 * block.bytes AS table_bytes,
    t.reltuples::int8 AS table_rows,
    (SELECT pg_catalog.json_agg(pg_catalog.concat_ws(' ', k.num, (i.indclass::oid[])[k.ord - 1],
            (i.indcollation::oid[])[k.ord - 1], (i.indoption::int2[])[k.ord - 1]) ORDER BY k.ord)
     FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k(num, ord) WHERE k.ord <= i.key_count) AS keys,
    (SELECT pg_catalog.json_agg(k.num::text ORDER BY k.num)
     FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k(num, ord) WHERE k.ord > i.key_count) AS includes,
    pg_catalog.regexp_replace(i.indexprs::text, ':location -?[0-9]+', '', 'g') AS exprs,
    pg_catalog.regexp_replace(i.indpred::text, ':location -?[0-9]+', '', 'g') AS predicate,
    (SELECT pg_catalog.json_agg(coalesce(a.attname, '(expression)') ORDER BY k.ord)
     FROM pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY k(num, ord)
        LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.num AND k.num <> 0
     WHERE k.ord <= i.key_count) AS columns,
    i.indisunique AS "unique", i.indisprimary AS "primary",
    i.indisexclusion OR EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = x.oid) AS held,
    (SELECT pg_catalog.json_agg(k.conname ORDER BY k.conname) FROM pg_catalog.pg_constraint k
     WHERE k.conrelid = t.oid AND k.contype = 'f'
        AND (i.indkey::int2[])[0:pg_catalog.cardinality(k.conkey) - 1] @> k.conkey) AS "foreign",
    i.indimmediate AS immediate,
    i.indnullsnotdistinct AS nulls_alike, --@15+
    i.indisreplident AS replica_identity, i.indisclustered AS clustered, i.indisvalid AND i.indisready AS valid,
    x.relispartition AS part, x.relkind = 'I' AS whole,
    EXISTS (SELECT FROM busy WHERE busy.relation IN (t.oid, x.oid)) AS busy,
    coalesce(ws.scans, pg_catalog.pg_stat_get_numscans(x.oid)) AS scans,
    pg_catalog.date_trunc('second', pg_catalog.pg_stat_get_lastscan(x.oid))::text AS last_scan, --@16+
    pg_catalog.pg_stat_get_numscans(t.oid) + pg_catalog.pg_stat_get_tuples_inserted(t.oid)
        + pg_catalog.pg_stat_get_tuples_updated(t.oid) + pg_catalog.pg_stat_get_tuples_deleted(t.oid)
        + (SELECT coalesce(pg_catalog.sum(pg_catalog.pg_stat_get_numscans(o.indexrelid)), 0)::int8
           FROM pg_catalog.pg_index o WHERE o.indrelid = t.oid) AS table_uses
FROM idx i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
    JOIN pg_catalog.pg_class t ON t.oid = i.indrelid AND t.relkind IN ('r', 'p', 'm') AND t.relpersistence <> 't'
    JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
    JOIN pg_catalog.pg_am m ON m.oid = x.relam
    CROSS JOIN block LEFT JOIN whole_scans ws ON ws.root = x.oid
WHERE n.nspname !~ '^(pg_|stoa_scratch_)' AND n.nspname NOT IN ('information_schema', 'stoa', 'pgroll', 'repack', 'reshape')
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::regclass
                    AND e.objid = t.oid AND e.deptype = 'e')
ORDER BY n.nspname, t.relname, x.oid
