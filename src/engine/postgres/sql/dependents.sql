-- What stands on a table, its columns and its constraints, and what would go with each of them.
-- $1 the table's number. One row an object and start; column and constraint NULL: the table itself.
-- A line that ends in "--@15+" is for PostgreSQL 15 and later only, "--@15-" for what is older.
WITH RECURSIVE start(classid, objid, objsubid, of_column, of_constraint) AS (
    SELECT 'pg_catalog.pg_class'::regclass::oid, $1::oid, 0, NULL::name, NULL::name
    UNION ALL
    SELECT 'pg_catalog.pg_class'::regclass::oid, $1::oid, a.attnum, a.attname, NULL
    FROM pg_catalog.pg_attribute a WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'pg_catalog.pg_constraint'::regclass::oid, k.oid, 0, NULL, k.conname
    FROM pg_catalog.pg_constraint k WHERE k.conrelid = $1::oid
), gone(of_column, of_constraint, classid, objid, objsubid) AS (
    SELECT s.of_column, s.of_constraint, s.classid, s.objid, s.objsubid FROM start s
    UNION
    SELECT g.of_column, g.of_constraint, d.classid, d.objid, d.objsubid
    FROM gone g JOIN pg_catalog.pg_depend d ON d.refclassid = g.classid AND d.refobjid = g.objid
        AND (g.objsubid = 0 OR d.refobjsubid = g.objsubid)
    WHERE d.deptype IN ('a', 'i', 'P', 'S', 'I')
), touched AS (
    SELECT g.of_column, g.of_constraint, g.classid, g.objid, g.objsubid, true AS goes FROM gone g
    WHERE NOT EXISTS (SELECT FROM start s WHERE s.classid = g.classid AND s.objid = g.objid AND s.objsubid = g.objsubid
                      AND s.of_column IS NOT DISTINCT FROM g.of_column
                      AND s.of_constraint IS NOT DISTINCT FROM g.of_constraint)
    UNION
    SELECT g.of_column, g.of_constraint, d.classid, d.objid, d.objsubid, false
    FROM gone g JOIN pg_catalog.pg_depend d ON d.refclassid = g.classid AND d.refobjid = g.objid
        AND (g.objsubid = 0 OR d.refobjsubid = g.objsubid)
    WHERE d.deptype = 'n' AND NOT EXISTS (
        SELECT FROM gone o WHERE o.classid = d.classid AND o.objid = d.objid AND o.objsubid IN (0, d.objsubid)
            AND o.of_column IS NOT DISTINCT FROM g.of_column
            AND o.of_constraint IS NOT DISTINCT FROM g.of_constraint)
), named AS (
    SELECT t.of_column, t.of_constraint, t.goes,
        CASE WHEN t.classid = 'pg_catalog.pg_rewrite'::regclass
             THEN CASE v.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'rule' END
             WHEN t.classid = 'pg_catalog.pg_constraint'::regclass
             THEN CASE k.contype WHEN 'f' THEN 'foreign key' WHEN 'c' THEN 'check constraint' WHEN 'p' THEN 'primary key'
                      WHEN 'u' THEN 'unique constraint' WHEN 'x' THEN 'exclusion constraint'
                      WHEN 'n' THEN 'not null' ELSE 'constraint' END
             WHEN t.classid = 'pg_catalog.pg_class'::regclass AND t.objsubid <> 0
             THEN CASE WHEN c.oid = $1::oid THEN 'generated column' ELSE 'column' END
             WHEN t.classid = 'pg_catalog.pg_class'::regclass
             THEN CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' WHEN 'i' THEN 'index' WHEN 'I' THEN 'index'
                      WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
                      WHEN 'f' THEN 'foreign table' ELSE 'type' END
             WHEN t.classid = 'pg_catalog.pg_attrdef'::regclass
             THEN CASE WHEN d.adrelid = $1::oid THEN 'generated column' ELSE 'default' END
             WHEN t.classid = 'pg_catalog.pg_trigger'::regclass THEN 'trigger'
             WHEN t.classid = 'pg_catalog.pg_policy'::regclass THEN 'policy'
             WHEN t.classid = 'pg_catalog.pg_proc'::regclass THEN 'function'
             WHEN t.classid = 'pg_catalog.pg_statistic_ext'::regclass THEN 'statistics'
             WHEN t.classid = 'pg_catalog.pg_publication_rel'::regclass THEN 'publication'
             WHEN t.classid = 'pg_catalog.pg_type'::regclass THEN 'type'
             ELSE i.type END AS kind,
        CASE WHEN t.classid = 'pg_catalog.pg_rewrite'::regclass AND v.relkind IN ('v', 'm') THEN v.relname
             WHEN t.classid = 'pg_catalog.pg_class'::regclass AND t.objsubid <> 0 THEN a.attname
             WHEN t.classid = 'pg_catalog.pg_attrdef'::regclass THEN da.attname
             WHEN t.classid = 'pg_catalog.pg_publication_rel'::regclass THEN pub.pubname
             ELSE coalesce(c.relname, k.conname, rw.rulename, tg.tgname, pol.polname, i.name) END AS name,
        CASE WHEN t.classid = 'pg_catalog.pg_rewrite'::regclass AND v.relkind IN ('v', 'm') THEN vn.nspname
             WHEN t.classid = 'pg_catalog.pg_class'::regclass AND t.objsubid = 0 THEN cn.nspname
             ELSE i.schema END AS schema,
        CASE WHEN t.classid = 'pg_catalog.pg_rewrite'::regclass AND v.relkind IN ('v', 'm') THEN NULL
             WHEN t.classid = 'pg_catalog.pg_class'::regclass AND t.objsubid <> 0 THEN c.oid
             ELSE coalesce(k.conrelid, x.indrelid, da.attrelid, tg.tgrelid, pol.polrelid, rw.ev_class) END AS on_id,
        t.classid, t.objid, t.objsubid, i.identity
    FROM touched t
        CROSS JOIN LATERAL pg_catalog.pg_identify_object(t.classid, t.objid, t.objsubid) i
        LEFT JOIN pg_catalog.pg_class c ON t.classid = 'pg_catalog.pg_class'::regclass AND c.oid = t.objid
        LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
        LEFT JOIN pg_catalog.pg_index x ON x.indexrelid = c.oid
        LEFT JOIN pg_catalog.pg_attribute a ON t.objsubid <> 0 AND a.attrelid = c.oid AND a.attnum = t.objsubid
        LEFT JOIN pg_catalog.pg_constraint k ON t.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = t.objid
        LEFT JOIN pg_catalog.pg_rewrite rw ON t.classid = 'pg_catalog.pg_rewrite'::regclass AND rw.oid = t.objid
        LEFT JOIN pg_catalog.pg_class v ON v.oid = rw.ev_class
        LEFT JOIN pg_catalog.pg_namespace vn ON vn.oid = v.relnamespace
        LEFT JOIN pg_catalog.pg_trigger tg ON t.classid = 'pg_catalog.pg_trigger'::regclass AND tg.oid = t.objid
        LEFT JOIN pg_catalog.pg_policy pol ON t.classid = 'pg_catalog.pg_policy'::regclass AND pol.oid = t.objid
        LEFT JOIN pg_catalog.pg_attrdef d ON t.classid = 'pg_catalog.pg_attrdef'::regclass AND d.oid = t.objid
        LEFT JOIN pg_catalog.pg_attribute da ON da.attrelid = d.adrelid AND da.attnum = d.adnum
        LEFT JOIN pg_catalog.pg_publication_rel pr
            ON t.classid = 'pg_catalog.pg_publication_rel'::regclass AND pr.oid = t.objid
        LEFT JOIN pg_catalog.pg_publication pub ON pub.oid = pr.prpubid
    WHERE coalesce(c.relkind, 'r') <> 't' AND coalesce(cn.nspname, '') <> 'pg_toast'
        AND NOT coalesce(tg.tgisinternal, false)
        -- A partition's part of its parent's key goes with that; the parent's is named.
        AND NOT coalesce(k.conparentid <> 0, false) --@11+
        AND NOT (t.classid = 'pg_catalog.pg_type'::regclass AND t.goes)
        AND NOT (t.classid = 'pg_catalog.pg_attrdef'::regclass AND t.goes)
        AND NOT (t.classid = 'pg_catalog.pg_class'::regclass AND x.indexrelid IS NOT NULL
                 AND EXISTS (SELECT FROM pg_catalog.pg_constraint own WHERE own.conindid = x.indexrelid
                             AND own.conrelid = x.indrelid AND own.contype IN ('p', 'u', 'x')))
), mention AS (
    SELECT s.of_column, s.of_constraint, p.oid, p.proname, n.nspname
    FROM start s CROSS JOIN pg_catalog.pg_class r
        JOIN pg_catalog.pg_proc p ON p.prosrc ~* ('\m' || pg_catalog.regexp_replace(r.relname, '(\W)', '\\\1', 'g') || '\M')
            AND (s.of_column IS NULL
                 OR p.prosrc ~* ('\m' || pg_catalog.regexp_replace(s.of_column, '(\W)', '\\\1', 'g') || '\M'))
        JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        JOIN pg_catalog.pg_language l ON l.oid = p.prolang AND l.lanname NOT IN ('c', 'internal')
    WHERE r.oid = $1::oid AND s.of_constraint IS NULL
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'stoa')
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_proc'::regclass
                        AND e.objid = p.oid AND e.deptype = 'e')
)
SELECT DISTINCT n.of_column AS column, n.of_constraint AS constraint, n.kind, n.schema, n.name,
    r.relname AS on, rn.nspname AS on_schema, n.goes, false AS hint,
    CASE WHEN n.on_id IS NOT NULL
         THEN pg_catalog.format('%s %I on %I.%I', n.kind, n.name, rn.nspname, r.relname)
         WHEN n.kind IN ('view', 'materialized view', 'table', 'sequence', 'foreign table')
         THEN pg_catalog.format('%s %I.%I', n.kind, n.schema, n.name)
         WHEN n.kind = 'publication' THEN pg_catalog.format('publication %I', n.name)
         ELSE pg_catalog.format('%s %s', n.kind, n.identity) END AS text,
    CASE n.kind
        WHEN 'index' THEN (SELECT x.indnatts > 1 FROM pg_catalog.pg_index x WHERE x.indexrelid = n.objid)
        WHEN 'statistics' THEN true
        ELSE coalesce((SELECT pg_catalog.cardinality(k.conkey) > 1 FROM pg_catalog.pg_constraint k
                       WHERE n.classid = 'pg_catalog.pg_constraint'::regclass AND k.oid = n.objid), false)
    END AS shared
FROM named n LEFT JOIN pg_catalog.pg_class r ON r.oid = n.on_id
    LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
UNION ALL
SELECT m.of_column, m.of_constraint, 'function', m.nspname, m.proname, NULL, NULL, false, true,
    pg_catalog.format('function %s', m.oid::regprocedure), false
FROM mention m
ORDER BY 1, 2, 3, 5, 10
