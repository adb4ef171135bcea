-- What stands under names that online tools give. Who left it, and whether it is left at all, is judged by
-- whoever asked. Functions and sequences of Stoa's own are numbered by their table.
WITH live AS (
    SELECT a.application_name AS name FROM pg_catalog.pg_stat_activity a
    WHERE a.datname = pg_catalog.current_database() AND a.application_name <> ''
), mine AS (
    SELECT n.oid AS id, n.nspname FROM pg_catalog.pg_namespace n
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
), block(bytes) AS (
    SELECT pg_catalog.current_setting('block_size')::int8
)
SELECT 'table' AS type, m.nspname AS schema, c.relname AS "table", c.relname AS name,
    c.relpages::int8 * block.bytes AS bytes, c.reltuples::int8 AS rows,
    pg_catalog.obj_description(c.oid, 'pg_class') AS comment, NULL::text AS note,
    EXISTS (SELECT FROM live WHERE live.name ~* '(repack|pg_osc|pg-online-schema)') AS alive,
    pg_catalog.format('DROP TABLE %I.%I', m.nspname, c.relname) AS drop
FROM pg_catalog.pg_class c JOIN mine m ON m.id = c.relnamespace CROSS JOIN block
WHERE c.relkind IN ('r', 'p') AND (c.relname ~ '^pgosc_' OR m.nspname = 'repack' AND c.relname ~ '^(log|table)_[0-9]+$')
UNION ALL
SELECT 'trigger', m.nspname, c.relname, g.tgname, NULL, NULL, NULL,
    CASE WHEN fn.nspname = 'stoa' THEN 'stoa' END,
    EXISTS (SELECT FROM live WHERE live.name ~* '(repack|pg_osc|pgroll|reshape)'),
    pg_catalog.format('DROP TRIGGER %I ON %I.%I', g.tgname, m.nspname, c.relname)
FROM pg_catalog.pg_trigger g JOIN pg_catalog.pg_class c ON c.oid = g.tgrelid JOIN mine m ON m.id = c.relnamespace
    JOIN pg_catalog.pg_proc f ON f.oid = g.tgfoid JOIN pg_catalog.pg_namespace fn ON fn.oid = f.pronamespace
WHERE NOT g.tgisinternal AND m.nspname <> 'stoa' AND m.nspname !~ '^stoa_scratch_'
    AND (fn.nspname = 'stoa' OR g.tgname ~ '^(_pgroll_|__reshape|repack_trigger|[az]_repack_trigger|primary_to_audit_table_trigger)')
UNION ALL
SELECT 'schema', m.nspname, NULL, m.nspname, NULL, NULL, pg_catalog.obj_description(m.id, 'pg_namespace'), NULL,
    EXISTS (SELECT FROM live WHERE live.name ~* '(pgroll|reshape)') OR m.nspname ~ '^stoa_scratch_' AND EXISTS (
        SELECT FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory' AND l.classid = 1937009506 AND l.objsubid = 2
            AND l.objid::int8 = pg_catalog.hashtext(pg_catalog.regexp_replace(m.nspname, '_[0-9]+$', ''))::int8
                & 4294967295),
    pg_catalog.format('DROP SCHEMA %I CASCADE', m.nspname)
FROM mine m WHERE m.nspname IN ('pgroll', 'reshape') OR m.nspname ~ '^stoa_scratch_[0-9]+_[0-9]+_[0-9a-f]+_[0-9]+$'
UNION ALL
SELECT 'column', m.nspname, c.relname, a.attname, NULL, NULL, NULL, NULL,
    EXISTS (SELECT FROM live WHERE live.name ~* '(pgroll|reshape)'),
    pg_catalog.format('ALTER TABLE %I.%I DROP COLUMN %I', m.nspname, c.relname, a.attname)
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p')
    JOIN mine m ON m.id = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attname ~ '^(_pgroll_|__reshape_)' AND NOT c.relispartition
UNION ALL
SELECT 'function', m.nspname, t.relname, p.proname, NULL, NULL, NULL, tn.nspname,
    EXISTS (SELECT FROM live WHERE live.name ~* '(pgroll|reshape)'),
    pg_catalog.format('DROP FUNCTION %I.%I(%s)', m.nspname, p.proname, pg_catalog.oidvectortypes(p.proargtypes))
FROM pg_catalog.pg_proc p JOIN mine m ON m.id = p.pronamespace
    LEFT JOIN pg_catalog.pg_class t ON m.nspname = 'stoa'
        AND t.oid::int8 = pg_catalog.substring(p.proname, '^sync_([0-9]+)$')::int8
    LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
WHERE m.nspname = 'stoa' AND p.proname ~ '^sync_[0-9]+$'
    OR m.nspname NOT IN ('stoa', 'pgroll', 'reshape') AND p.proname ~ '^(_pgroll_|__reshape)'
UNION ALL
SELECT 'sequence', m.nspname, t.relname, c.relname, NULL, NULL, NULL, tn.nspname, false,
    pg_catalog.format('DROP SEQUENCE %I.%I', m.nspname, c.relname)
FROM pg_catalog.pg_class c JOIN mine m ON m.id = c.relnamespace
    LEFT JOIN pg_catalog.pg_class t ON t.oid::int8 = pg_catalog.substring(c.relname, '^[a-z]+_([0-9]+)_')::int8
    LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
WHERE c.relkind = 'S' AND m.nspname = 'stoa' AND c.relname ~ '^(fills|minute|broken)_[0-9]+_'
