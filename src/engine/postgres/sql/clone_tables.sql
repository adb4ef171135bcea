-- Tables with their columns, defaults, constraints, indexes and settings, as pg_dump makes them: partitions stand
-- alone first and are attached afterwards. Parameters and rows as in clone_types.sql.
WITH node AS (
    SELECT u.class, u.id, u.level FROM unnest($1::oid[], $2::oid[], $3::int[]) AS u(class, id, level)
), rel AS (
    SELECT c.*, n.nspname, node.level, format('%I.%I', n.nspname, c.relname) AS name
        , c.oid --@12-
    FROM node JOIN pg_class c ON node.class = 'pg_class'::regclass AND c.oid = node.id
        JOIN pg_namespace n ON n.oid = c.relnamespace
), col AS (
    SELECT a.*, r.name, r.level, r.relkind, r.relispartition, d.oid AS default_id,
        pg_get_expr(d.adbin, d.adrelid) AS expr,
        a.attgenerated::text AS generated, --@12+
        '' AS generated, --@12-
        format('%I %s%s', a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attcollation <> t.typcollation
            THEN (SELECT format(' COLLATE %I.%I', n.nspname, l.collname) FROM pg_collation l
                  JOIN pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = a.attcollation) END) AS plain,
        t.typstorage
    FROM rel r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
        JOIN pg_type t ON t.oid = a.atttypid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE r.relkind IN ('r', 'p', 'v', 'm')
), heir AS (
    -- A child made with INHERITS takes its parents' columns first. Where that is not the order it has, it is made
    -- alone and joins later; its columns count as its own then.
    SELECT i.inhrelid, string_agg(p.name, ', ' ORDER BY i.inhseqno) AS parents, NOT EXISTS (
            SELECT FROM col a JOIN col b ON b.attrelid = a.attrelid AND b.attnum > a.attnum
            WHERE a.attrelid = i.inhrelid AND a.attinhcount = 0 AND b.attinhcount > 0)
        AND (SELECT array_agg(a.attname ORDER BY a.attnum) FROM col a
             WHERE a.attrelid = i.inhrelid AND a.attinhcount > 0)
            = (SELECT array_agg(f.attname ORDER BY f.first)
               FROM (SELECT a.attname, min(j.inhseqno * 10000 + a.attnum) AS first
                     FROM pg_inherits j JOIN col a ON a.attrelid = j.inhparent
                     WHERE j.inhrelid = i.inhrelid GROUP BY a.attname) f) AS natural
    FROM pg_inherits i JOIN rel p ON p.oid = i.inhparent JOIN rel c ON c.oid = i.inhrelid
    WHERE c.relkind = 'r' AND NOT c.relispartition GROUP BY i.inhrelid
), ck AS (
    -- A partition's own NOT NULL (18) becomes its parent's only when both are there before it is attached.
    SELECT k.oid, k.conname, k.contype, k.conislocal, k.coninhcount, k.convalidated, r.name, r.level,
        k.contype = 'n' AND k.convalidated AND (r.relispartition OR r.relkind = 'p') AS early,
        pg_get_constraintdef(k.oid) AS definition, (
            SELECT q.convalidated FROM pg_inherits i JOIN pg_constraint q ON q.conrelid = i.inhparent
            WHERE i.inhrelid = k.conrelid AND q.conname = k.conname AND q.contype = k.contype LIMIT 1) AS parent_valid
    FROM rel r JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype IN ('c', 'n')
    WHERE r.relkind IN ('r', 'p')
)
SELECT 60 AS stage, r.oid::int8 AS place, r.level AS level, 'table ' || r.name AS what,
    format('CREATE %sTABLE %s (%s)%s%s%s%s', CASE WHEN r.relpersistence = 'u' THEN 'UNLOGGED ' END, r.name,
        (SELECT string_agg(a.plain
             || CASE WHEN a.generated <> '' THEN format(' GENERATED ALWAYS AS (%s) %s', a.expr,
                     CASE a.generated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END) ELSE '' END
             || CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END --@18-
             , ', ' ORDER BY a.attnum)
         FROM col a WHERE a.attrelid = r.oid AND (a.attislocal OR NOT coalesce(h.natural, false))),
        CASE WHEN h.natural THEN format(' INHERITS (%s)', h.parents) END,
        CASE WHEN r.relkind = 'p' THEN ' PARTITION BY ' || pg_get_partkeydef(r.oid) END,
        (SELECT format(' USING %I', m.amname) FROM pg_am m WHERE m.oid = r.relam AND m.amname <> 'heap'), --@12+
        NULL, --@12-
        (SELECT format(' WITH (%s)', string_agg(o.text, ', '))
         FROM (SELECT format('%I=%L', x.option_name, x.option_value) AS text FROM pg_options_to_table(r.reloptions) x
               UNION ALL SELECT format('toast.%I=%L', x.option_name, x.option_value)
               FROM pg_class t CROSS JOIN LATERAL pg_options_to_table(t.reloptions) x
               WHERE t.oid = r.reltoastrelid) o HAVING count(*) > 0)) AS sql
FROM rel r LEFT JOIN heir h ON h.inhrelid = r.oid WHERE r.relkind IN ('r', 'p')
UNION ALL SELECT 61, r.oid::int8, r.level, 'table ' || r.name,
    format('ALTER TABLE %s OF %s', r.name, format_type(r.reloftype, NULL))
FROM rel r WHERE r.reloftype <> 0
UNION ALL SELECT 65, r.oid::int8, r.level, 'table ' || r.name,
    format('ALTER TABLE ONLY %s ATTACH PARTITION %s %s', p.name, r.name, pg_get_expr(r.relpartbound, r.oid))
FROM rel r JOIN pg_inherits i ON i.inhrelid = r.oid JOIN rel p ON p.oid = i.inhparent
WHERE r.relispartition AND r.relkind IN ('r', 'p')
UNION ALL SELECT 65, r.oid::int8, r.level, 'table ' || r.name,
    format('ALTER TABLE %s INHERIT %s', r.name, p.name)
FROM heir h JOIN rel r ON r.oid = h.inhrelid JOIN pg_inherits i ON i.inhrelid = r.oid JOIN rel p ON p.oid = i.inhparent
WHERE NOT h.natural
UNION ALL SELECT CASE WHEN a.relkind IN ('r', 'p') THEN 70 ELSE 94 END, a.default_id::int8, a.level,
    format('default of %s.%I', a.name, a.attname),
    format('ALTER %s %s ALTER COLUMN %I SET DEFAULT %s',
        CASE WHEN a.relkind = 'v' THEN 'VIEW' ELSE 'TABLE ONLY' END, a.name, a.attname, a.expr)
FROM col a WHERE a.expr IS NOT NULL AND a.generated = ''
UNION ALL SELECT 70, a.attrelid::int8, a.level, format('column %s.%I', a.name, a.attname), --@18-
    format('ALTER TABLE ONLY %s ALTER COLUMN %I SET NOT NULL', a.name, a.attname) --@18-
FROM col a JOIN heir h ON h.inhrelid = a.attrelid --@18-
WHERE h.natural AND NOT a.attislocal AND a.attnotnull --@18-
-- Checks by ALTER TABLE, which alone can leave them NOT VALID; a child's own before those it inherits.
UNION ALL SELECT CASE WHEN k.early THEN 62 WHEN k.coninhcount > 0 THEN 71 ELSE 72 END, k.oid::int8, k.level,
    format('constraint %I of %s', k.conname, k.name),
    format('ALTER TABLE %s ADD CONSTRAINT %I %s', k.name, k.conname, k.definition)
FROM ck k WHERE k.early OR k.conislocal OR k.coninhcount = 0 OR k.parent_valid IS NULL
UNION ALL SELECT 73, k.oid::int8, k.level, format('constraint %I of %s', k.conname, k.name),
    format('ALTER TABLE %s VALIDATE CONSTRAINT %I', k.name, k.conname)
FROM ck k WHERE k.convalidated AND NOT k.parent_valid
UNION ALL SELECT 75, a.attrelid::int8, a.level, format('identity of %s.%I', a.name, a.attname),
    format('ALTER TABLE %s ALTER COLUMN %I ADD GENERATED %s AS IDENTITY (SEQUENCE NAME %I.%I INCREMENT BY %s '
        'MINVALUE %s MAXVALUE %s START WITH %s CACHE %s%s)', a.name, a.attname,
        CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, n.nspname, c.relname, s.seqincrement, s.seqmin,
        s.seqmax, s.seqstart, s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' END)
FROM col a JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid
        AND d.refobjsubid = a.attnum AND d.classid = 'pg_class'::regclass AND d.deptype = 'i'
    JOIN pg_class c ON c.oid = d.objid AND c.relkind = 'S' JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_sequence s ON s.seqrelid = c.oid
WHERE a.attidentity <> ''
    AND NOT a.relispartition --@17+
UNION ALL SELECT CASE WHEN r.relkind IN ('r', 'p') THEN 78 ELSE 94 END, r.oid::int8, r.level, 'columns of ' || r.name,
    format('ALTER %s %s %s', CASE r.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE ONLY' END, r.name, o.list)
FROM rel r CROSS JOIN LATERAL (
    SELECT string_agg(format('ALTER COLUMN %I %s', a.attname, x.text), ', ' ORDER BY a.attnum) AS list
    FROM col a CROSS JOIN LATERAL (
        SELECT 'SET STORAGE ' || CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN'
               ELSE 'EXTENDED' END AS text WHERE a.attstorage <> a.typstorage
        UNION ALL SELECT 'SET STATISTICS ' || a.attstattarget WHERE a.attstattarget >= 0
        UNION ALL SELECT 'SET COMPRESSION ' || CASE a.attcompression WHEN 'l' THEN 'lz4' ELSE 'pglz' END --@14+
        WHERE a.attcompression <> '' --@14+
        UNION ALL SELECT format('SET (%s)', string_agg(format('%I=%L', q.option_name, q.option_value), ', '))
        FROM pg_options_to_table(a.attoptions) q
        -- These alone are the user's; a server may keep marks of its own among them (15.20: pg_attver).
        WHERE q.option_name IN ('n_distinct', 'n_distinct_inherited') HAVING count(*) > 0
    ) x WHERE a.attrelid = r.oid AND r.relkind IN ('r', 'p', 'm')) o
WHERE o.list IS NOT NULL
UNION ALL SELECT 80, k.oid::int8, r.level, format('constraint %I of %s', k.conname, r.name),
    format('ALTER TABLE ONLY %s ADD CONSTRAINT %I %s', r.name, k.conname, pg_get_constraintdef(k.oid))
FROM rel r JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype IN ('p', 'u', 'x')
-- What an interrupted build left is not copied.
UNION ALL SELECT CASE WHEN r.relkind = 'm' THEN 93 ELSE 80 END, i.indexrelid::int8, r.level,
    'index ' || x.name, pg_get_indexdef(i.indexrelid)
FROM rel r JOIN pg_index i ON i.indrelid = r.oid JOIN rel x ON x.oid = i.indexrelid
WHERE r.relkind IN ('r', 'p', 'm') AND (i.indisvalid OR x.relkind = 'I') AND NOT EXISTS (
    SELECT FROM pg_constraint k
    WHERE k.conrelid = r.oid AND k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))
UNION ALL SELECT 82, x.oid::int8, x.level, 'index ' || x.name, format('ALTER INDEX %s SET (%s)', x.name, (
    SELECT string_agg(format('%I=%L', o.option_name, o.option_value), ', ') FROM pg_options_to_table(x.reloptions) o))
FROM rel x WHERE x.relkind = 'i' AND x.reloptions IS NOT NULL AND EXISTS (
    SELECT FROM pg_constraint k WHERE k.conindid = x.oid AND k.contype IN ('p', 'u', 'x'))
UNION ALL SELECT 94, x.oid::int8, x.level, 'index ' || x.name, --@11+
    format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', x.name, a.attnum, a.attstattarget) --@11+
FROM rel x JOIN pg_attribute a ON a.attrelid = x.oid WHERE x.relkind IN ('i', 'I') AND a.attstattarget >= 0 --@11+
UNION ALL SELECT 85, x.oid::int8, x.level, 'index ' || x.name,
    format('ALTER INDEX %s ATTACH PARTITION %s', p.name, x.name)
FROM rel x JOIN pg_inherits i ON i.inhrelid = x.oid JOIN rel p ON p.oid = i.inhparent
    JOIN pg_index own ON own.indexrelid = x.oid AND (own.indisvalid OR x.relkind = 'I')
-- A partition's foreign key under a name of its own is there before its parent's, which takes it over then.
UNION ALL SELECT CASE WHEN k.conparentid = 0 THEN 88 WHEN r.relkind = 'p' THEN 87 ELSE 86 END, --@11+
    k.oid::int8, node.level, --@11+
UNION ALL SELECT 88, k.oid::int8, node.level, --@11-
    format('constraint %I of %s', k.conname, r.name),
    format('ALTER TABLE %s ADD CONSTRAINT %I %s', r.name, k.conname, pg_get_constraintdef(k.oid))
FROM node JOIN pg_constraint k ON node.class = 'pg_constraint'::regclass AND k.oid = node.id AND k.contype = 'f'
    JOIN rel r ON r.oid = k.conrelid
WHERE true
    AND (k.conparentid = 0 OR EXISTS (SELECT FROM pg_constraint p --@11+
        WHERE p.oid = k.conparentid AND p.conrelid <> k.conrelid AND p.conname <> k.conname)) --@11+
UNION ALL SELECT 95, i.indexrelid::int8, r.level, 'table ' || r.name,
    format('ALTER %s %s CLUSTER ON %I', CASE r.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END, r.name,
        x.relname)
FROM rel r JOIN pg_index i ON i.indrelid = r.oid AND i.indisclustered JOIN rel x ON x.oid = i.indexrelid
WHERE i.indisvalid
UNION ALL SELECT 95, r.oid::int8, r.level, 'table ' || r.name, format('ALTER TABLE ONLY %s REPLICA IDENTITY %s', r.name,
    CASE r.relreplident WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' ELSE 'USING INDEX ' || (
        SELECT quote_ident(x.relname) FROM pg_index i JOIN rel x ON x.oid = i.indexrelid
        WHERE i.indrelid = r.oid AND i.indisreplident AND i.indisvalid) END)
FROM rel r WHERE r.relkind IN ('r', 'p') AND (r.relreplident = 'f' OR r.relreplident = 'n' OR EXISTS (
    SELECT FROM pg_index i WHERE i.indrelid = r.oid AND i.indisreplident AND i.indisvalid))
UNION ALL SELECT 99, r.oid::int8, r.level, 'row level security of ' || r.name,
    format('ALTER TABLE %s %s%s', r.name, CASE WHEN r.relrowsecurity THEN 'ENABLE ROW LEVEL SECURITY' END,
        CASE WHEN r.relforcerowsecurity THEN CASE WHEN r.relrowsecurity THEN ', ' ELSE '' END
             || 'FORCE ROW LEVEL SECURITY' END)
FROM rel r WHERE r.relkind IN ('r', 'p') AND (r.relrowsecurity OR r.relforcerowsecurity)
