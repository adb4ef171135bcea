-- Tables with those of their columns that nothing in the catalog needs: no index, constraint, view, policy,
-- generated column, trigger, publication or statistics object. A column's own default and sequence do not count.
WITH RECURSIVE part(root, id) AS (
    SELECT c.oid, h.inhrelid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_inherits h ON h.inhparent = c.oid
    WHERE c.relkind = 'p' AND NOT c.relispartition
    UNION ALL
    SELECT p.root, h.inhrelid FROM part p JOIN pg_catalog.pg_inherits h ON h.inhparent = p.id
), parts AS (
    SELECT p.root, pg_catalog.json_agg(c.relname) AS names FROM part p JOIN pg_catalog.pg_class c ON c.oid = p.id GROUP BY p.root
), needed AS (
    SELECT d.refobjid AS id, d.refobjsubid AS num FROM pg_catalog.pg_depend d
    WHERE d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjsubid > 0
        AND NOT (d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i') AND EXISTS (
                 SELECT FROM pg_catalog.pg_class q WHERE q.oid = d.objid AND q.relkind = 'S'))
        AND NOT (d.classid = 'pg_catalog.pg_attrdef'::regclass AND EXISTS (
                 SELECT FROM pg_catalog.pg_attrdef f WHERE f.oid = d.objid AND f.adrelid = d.refobjid
                    AND f.adnum = d.refobjsubid))
)
SELECT n.nspname AS schema, c.relname AS "table", c.reltuples::int8 AS table_rows,
    pg_catalog.json_agg(a.attname ORDER BY a.attnum) AS columns,
    (SELECT parts.names FROM parts WHERE parts.root = c.oid) AS parts
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND NOT c.relispartition
    AND n.nspname !~ '^(pg_|stoa_scratch_)' AND n.nspname NOT IN ('information_schema', 'stoa', 'pgroll', 'repack', 'reshape')
    AND NOT EXISTS (SELECT FROM needed WHERE needed.id = a.attrelid AND needed.num = a.attnum)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::regclass
                    AND e.objid = c.oid AND e.deptype = 'e')
GROUP BY n.nspname, c.relname, c.reltuples, c.oid
