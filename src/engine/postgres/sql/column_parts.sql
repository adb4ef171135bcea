-- All that hangs on one column of a table. $1 the table's number, $2 the column, $3 the name under which a twin of
-- the column is to get the same comment, grants and settings. Runs with search_path = pg_catalog, pg_temp, so that
-- definitions are qualified.
-- drop_sql and make_sql: statements that take it away and make it again by its own text, or, for what is renamed into
-- its place, what its definition does not say (comments, settings).
WITH RECURSIVE col AS (
    SELECT a.attrelid, a.attnum, a.attname, a.atttypid, c.relowner, c.relname, n.nspname,
        format('%I.%I', n.nspname, c.relname) AS rel, a.attstattarget, a.attoptions, a.attacl, a.attstorage,
        t.typstorage, a.attidentity,
        CASE a.attcompression WHEN 'l' THEN 'lz4' WHEN 'p' THEN 'pglz' END AS compression --@14+
        NULL AS compression --@14-
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attrelid = $1::int8::oid AND a.attname = $2::text AND NOT a.attisdropped
), dep AS (
    SELECT d.classid, d.objid, d.objsubid, d.deptype FROM col JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass
        AND d.refobjid = col.attrelid AND d.refobjsubid = col.attnum
), reader(id, level) AS (
    SELECT w.ev_class, 1 FROM dep JOIN pg_rewrite w ON dep.classid = 'pg_rewrite'::regclass AND w.oid = dep.objid
    WHERE w.rulename = '_RETURN'
    UNION
    SELECT w.ev_class, r.level + 1 FROM reader r
        JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = r.id
            AND d.classid = 'pg_rewrite'::regclass
        JOIN pg_rewrite w ON w.oid = d.objid AND w.rulename = '_RETURN' AND w.ev_class <> r.id
    WHERE r.level < 100
), view AS (
    SELECT r.id, max(r.level) AS level, c.relkind, c.relowner, c.relacl, c.reloptions, c.relname, n.nspname, c.reltype,
        format('%I.%I', n.nspname, c.relname) AS name
    FROM reader r JOIN pg_class c ON c.oid = r.id JOIN pg_namespace n ON n.oid = c.relnamespace
    GROUP BY r.id, c.relkind, c.relowner, c.relacl, c.reloptions, c.relname, n.nspname, c.reltype
), trg AS (
    SELECT t.oid, t.tgrelid, t.tgname, t.tgenabled, format('%I.%I', n.nspname, c.relname) AS rel
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND t.tgrelid IN (SELECT attrelid FROM col UNION SELECT id FROM view)
        AND NOT EXISTS (SELECT FROM pg_proc p JOIN pg_namespace pn ON pn.oid = p.pronamespace
                        WHERE p.oid = t.tgfoid AND pn.nspname = 'stoa')
), trg_make AS (
    SELECT t.*, array_remove(ARRAY[pg_get_triggerdef(t.oid),
        CASE WHEN t.tgenabled <> 'O' THEN format('ALTER TABLE %s %s TRIGGER %I', t.rel, CASE t.tgenabled
            WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, t.tgname) END,
        format('COMMENT ON TRIGGER %I ON %s IS ', t.tgname, t.rel) || quote_literal(obj_description(t.oid, 'pg_trigger'))],
        NULL) AS statements
    FROM (SELECT u.* FROM trg u) t
), idx AS (
    SELECT i.indexrelid AS id, i.indisunique, i.indisclustered, i.indisreplident, x.relname, n.nspname,
        format('%I.%I', n.nspname, x.relname) AS name, s.spcname,
        (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL) AS expression, i.indrelid, i.indisvalid,
        k.conname, k.contype, k.oid AS constraint_id, k.condeferrable, k.condeferred
    FROM col JOIN pg_index i ON i.indrelid = col.attrelid JOIN pg_class x ON x.oid = i.indexrelid
        JOIN pg_namespace n ON n.oid = x.relnamespace LEFT JOIN pg_tablespace s ON s.oid = x.reltablespace
        LEFT JOIN pg_constraint k ON k.conindid = i.indexrelid AND k.conrelid = i.indrelid
            AND k.contype IN ('p', 'u', 'x')
    WHERE col.attnum = ANY (i.indkey::int2[]) OR EXISTS (
        SELECT FROM dep WHERE dep.classid = 'pg_class'::regclass AND dep.objid = i.indexrelid)
), con AS (
    SELECT k.*
        , k.oid --@12-
    FROM col JOIN pg_constraint k ON k.conrelid = col.attrelid AND col.attnum = ANY (k.conkey)
    WHERE k.contype IN ('c', 'f', 'n')
)
SELECT 'column' AS kind, col.nspname AS schema, col.attname AS name, NULL AS table_schema, NULL AS table_name,
    col_description(col.attrelid, col.attnum) AS definition, NULL AS constraint, NULL AS contype, NULL AS suffix,
    true AS validated, false AS expression,
    false AS is_unique, NULL::text[] AS columns, NULL AS ref_schema, NULL AS ref_table, NULL::text[] AS ref_columns, NULL AS tablespace, NULL AS owner,
    array_remove(ARRAY[
        CASE WHEN col.attstorage <> col.typstorage THEN format('ALTER TABLE %s ALTER COLUMN %I SET STORAGE %s', col.rel,
            $3::text, CASE col.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN'
            ELSE 'EXTENDED' END) END,
        format('ALTER TABLE %s ALTER COLUMN %I SET COMPRESSION ', col.rel, $3::text) || col.compression], NULL)
        AS drop_sql,
    array_remove(ARRAY[
        CASE WHEN col.attstattarget >= 0 THEN format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', col.rel,
            $3::text, col.attstattarget) END,
        (SELECT format('ALTER TABLE %s ALTER COLUMN %I SET (%s)', col.rel, $3::text,
             string_agg(format('%I=%L', q.option_name, q.option_value), ', '))
         FROM pg_options_to_table(col.attoptions) q
         WHERE q.option_name IN ('n_distinct', 'n_distinct_inherited') HAVING count(*) > 0)], NULL)
    || ARRAY(SELECT format('GRANT %s (%I) ON %s TO %s%s', string_agg(x.privilege_type, format(' (%I), ', $3::text)
             ORDER BY x.privilege_type), $3::text, col.rel, CASE WHEN x.grantee = 0 THEN 'PUBLIC'
             ELSE quote_ident(pg_get_userbyid(x.grantee)) END, CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
         FROM aclexplode(col.attacl) x GROUP BY x.grantee, x.is_grantable ORDER BY x.grantee) AS make_sql,
    0 AS place
FROM col
UNION ALL SELECT 'index', i.nspname, i.relname, col.nspname, col.relname,
    pg_get_indexdef(i.id), i.conname, i.contype::text,
    CASE WHEN i.condeferrable THEN ' DEFERRABLE' ELSE '' END || CASE WHEN i.condeferred THEN ' INITIALLY DEFERRED' ELSE '' END,
    i.indisvalid, i.expression, i.indisunique, ARRAY(
        SELECT a.attname::text FROM pg_index x CROSS JOIN LATERAL unnest(x.indkey::int2[]) WITH ORDINALITY AS u(num, at)
            LEFT JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = u.num AND u.num > 0
        WHERE x.indexrelid = i.id
            AND u.at <= x.indnkeyatts --@11+
        ORDER BY u.at),
    NULL, NULL, ARRAY(SELECT a.attname::text FROM pg_index x CROSS JOIN LATERAL unnest(x.indkey::int2[]) AS u(num)
        JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = u.num AND u.num > 0 WHERE x.indexrelid = i.id),
    i.spcname, NULL, NULL,
    array_remove(ARRAY[
        format('COMMENT ON INDEX %s IS ', i.name) || quote_literal(obj_description(i.id, 'pg_class')),
        CASE WHEN i.conname IS NOT NULL THEN format('COMMENT ON CONSTRAINT %I ON %s IS ', i.conname, col.rel)
            || quote_literal(obj_description(i.constraint_id, 'pg_constraint')) END,
        CASE WHEN i.indisclustered THEN format('ALTER TABLE %s CLUSTER ON %I', col.rel, i.relname) END,
        CASE WHEN i.indisreplident THEN format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', col.rel, i.relname) END],
        NULL)
    || ARRAY(SELECT format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', i.name, a.attnum, a.attstattarget) --@11+
        FROM pg_attribute a WHERE a.attrelid = i.id AND a.attstattarget >= 0 ORDER BY a.attnum) --@11+
    , i.id::int8
FROM idx i CROSS JOIN col WHERE i.contype IS DISTINCT FROM 'x'
UNION ALL SELECT CASE k.contype WHEN 'c' THEN 'check' WHEN 'n' THEN 'not null' ELSE 'foreign key' END, col.nspname,
    k.conname, col.nspname, col.relname, pg_get_constraintdef(k.oid), k.conname, k.contype::text, '', k.convalidated, false,
    false, ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(num, at)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.at),
    fn.nspname, f.relname, ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(num, at)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num ORDER BY u.at),
    NULL, NULL, NULL, array_remove(ARRAY[
        format('COMMENT ON CONSTRAINT %I ON %s IS ', k.conname, col.rel) || quote_literal(obj_description(k.oid, 'pg_constraint'))], NULL),
    k.oid::int8
FROM con k CROSS JOIN col LEFT JOIN pg_class f ON f.oid = k.confrelid LEFT JOIN pg_namespace fn ON fn.oid = f.relnamespace
UNION ALL SELECT 'reference', rn.nspname, k.conname, rn.nspname, r.relname, pg_get_constraintdef(k.oid), k.conname, 'f', '',
    k.convalidated, false, false, ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u(num, at)
        JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.num ORDER BY u.at),
    col.nspname, col.relname, ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY AS u(num, at)
        JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.num ORDER BY u.at),
    NULL, NULL, NULL, array_remove(ARRAY[format('COMMENT ON CONSTRAINT %I ON %I.%I IS ', k.conname, rn.nspname, r.relname)
        || quote_literal(obj_description(k.oid, 'pg_constraint'))], NULL), k.oid::int8
FROM col JOIN pg_constraint k ON k.confrelid = col.attrelid AND k.contype = 'f' AND col.attnum = ANY (k.confkey)
    JOIN pg_class r ON r.oid = k.conrelid JOIN pg_namespace rn ON rn.oid = r.relnamespace
UNION ALL SELECT 'statistics', n.nspname, s.stxname, col.nspname, col.relname, pg_get_statisticsobjdef(s.oid), NULL, NULL, '',
    true, false, false, NULL, NULL, NULL, NULL, NULL, pg_get_userbyid(s.stxowner), NULL, array_remove(ARRAY[
        CASE WHEN s.stxstattarget >= 0 THEN format('ALTER STATISTICS %I.%I SET STATISTICS %s', n.nspname, s.stxname, --@13+
            s.stxstattarget) END, --@13+
        format('COMMENT ON STATISTICS %I.%I IS ', n.nspname, s.stxname) || quote_literal(obj_description(s.oid, 'pg_statistic_ext'))], NULL),
    s.oid::int8
FROM col JOIN pg_statistic_ext s ON s.stxrelid = col.attrelid JOIN pg_namespace n ON n.oid = s.stxnamespace
WHERE col.attnum = ANY (s.stxkeys::int2[]) OR EXISTS (
    SELECT FROM dep WHERE dep.classid = 'pg_statistic_ext'::regclass AND dep.objid = s.oid)
UNION ALL SELECT CASE WHEN col.attidentity <> '' THEN 'identity' ELSE 'sequence' END, n.nspname, c.relname, col.nspname,
    col.relname, format('SEQUENCE NAME %I.%I INCREMENT BY %s%s%s START WITH %s CACHE %s%s', n.nspname, c.relname, s.seqincrement,
        -- a limit that is its type's is left out: it moves with the type
        CASE WHEN s.seqmin <> CASE WHEN s.seqincrement > 0 THEN 1 ELSE CASE s.seqtypid WHEN 'int2'::regtype THEN -32768
            WHEN 'int4'::regtype THEN -2147483648 ELSE -9223372036854775808 END END THEN format(' MINVALUE %s', s.seqmin) END,
        CASE WHEN s.seqmax <> CASE WHEN s.seqincrement < 0 THEN -1 ELSE CASE s.seqtypid WHEN 'int2'::regtype THEN 32767
            WHEN 'int4'::regtype THEN 2147483647 ELSE 9223372036854775807 END END THEN format(' MAXVALUE %s', s.seqmax) END,
        s.seqstart, s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' END),
    NULL, col.attidentity::text, format_type(s.seqtypid, NULL),
    true, false, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    ARRAY(SELECT format('GRANT %s ON SEQUENCE %I.%I TO %s%s', x.privilege_type, n.nspname, c.relname,
        CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
        CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM aclexplode(c.relacl) x WHERE x.grantee <> c.relowner ORDER BY x.grantee, x.privilege_type)
    || array_remove(ARRAY[format('COMMENT ON SEQUENCE %I.%I IS ', n.nspname, c.relname) || quote_literal(obj_description(c.oid, 'pg_class'))],
        NULL), c.oid::int8
FROM dep CROSS JOIN col JOIN pg_class c ON dep.classid = 'pg_class'::regclass AND c.oid = dep.objid AND c.relkind = 'S'
    JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
UNION ALL SELECT 'view', v.nspname, v.relname, v.nspname, v.relname, NULL, NULL, v.relkind::text, '',
    pg_has_role(v.relowner, 'USAGE'), v.relowner <> col.relowner, false, NULL, NULL, NULL, NULL, NULL, pg_get_userbyid(v.relowner),
    ARRAY[format('DROP VIEW %s', v.name)],
    array_remove(ARRAY[format('CREATE VIEW %s%s AS %s', v.name,
        (SELECT format(' WITH (%s)', string_agg(format('%I=%L', o.option_name, o.option_value), ', '))
         FROM pg_options_to_table(v.reloptions) o HAVING count(*) > 0), rtrim(pg_get_viewdef(v.id), ';')),
        (SELECT format('COMMENT ON VIEW %s IS %L', v.name, d) FROM obj_description(v.id, 'pg_class') AS d
         WHERE d IS NOT NULL)], NULL)
    || ARRAY(SELECT format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', v.name, a.attname, pg_get_expr(d.adbin, d.adrelid))
        FROM pg_attrdef d JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = v.id
        ORDER BY d.adnum)
    || ARRAY(SELECT format('COMMENT ON COLUMN %s.%I IS %L', v.name, a.attname, col_description(v.id, a.attnum))
        FROM pg_attribute a WHERE a.attrelid = v.id AND a.attnum > 0 AND col_description(v.id, a.attnum) IS NOT NULL
        ORDER BY a.attnum)
    || ARRAY(SELECT format('GRANT %s ON %s TO %s%s', x.privilege_type, v.name,
        CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
        CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM aclexplode(v.relacl) x WHERE x.grantee <> v.relowner ORDER BY x.grantee, x.privilege_type)
    || ARRAY(SELECT format('GRANT %s (%I) ON %s TO %s%s', x.privilege_type, a.attname, v.name,
        CASE WHEN x.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
        CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM pg_attribute a CROSS JOIN LATERAL aclexplode(a.attacl) x
        WHERE a.attrelid = v.id AND a.attnum > 0 ORDER BY a.attnum, x.grantee, x.privilege_type)
    || ARRAY(SELECT pg_get_ruledef(w.oid) FROM pg_rewrite w WHERE w.ev_class = v.id AND w.rulename <> '_RETURN'
        ORDER BY w.oid)
    || ARRAY(SELECT s FROM trg_make t CROSS JOIN LATERAL unnest(t.statements) WITH ORDINALITY AS u(s, at)
        WHERE t.tgrelid = v.id ORDER BY t.oid, u.at),
    v.level
FROM view v CROSS JOIN col WHERE v.relkind = 'v'
UNION ALL SELECT 'trigger', col.nspname, t.tgname, col.nspname, col.relname, NULL, NULL, NULL, NULL, true, false, false, NULL,
    NULL, NULL, NULL, NULL, NULL, ARRAY[format('DROP TRIGGER %I ON %s', t.tgname, t.rel)], t.statements, t.oid::int8
FROM trg_make t JOIN col ON col.attrelid = t.tgrelid
WHERE EXISTS (SELECT FROM dep WHERE dep.classid = 'pg_trigger'::regclass AND dep.objid = t.oid)
UNION ALL SELECT 'policy', col.nspname, p.polname, col.nspname, col.relname, NULL, NULL, NULL, NULL, true, false, false, NULL,
    NULL, NULL, NULL, NULL, NULL, ARRAY[format('DROP POLICY %I ON %s', p.polname, col.rel)], array_remove(ARRAY[
        format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', p.polname, col.rel,
            CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
            CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
                 ELSE 'ALL' END,
            (SELECT string_agg(CASE WHEN u.role = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(u.role)) END, ', ')
             FROM unnest(p.polroles) AS u(role)),
            ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
            ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')'),
        format('COMMENT ON POLICY %I ON %s IS ', p.polname, col.rel) || quote_literal(obj_description(p.oid, 'pg_policy'))], NULL),
    p.oid::int8
FROM col JOIN pg_policy p ON p.polrelid = col.attrelid
WHERE EXISTS (SELECT FROM dep WHERE dep.classid = 'pg_policy'::regclass AND dep.objid = p.oid)
-- Functions of the table's row triggers remember the column's type for as long as a session lives.
UNION ALL SELECT DISTINCT 'function', n.nspname, p.proname, NULL, NULL, NULL, NULL, NULL, NULL,
    pg_has_role(p.proowner, 'USAGE'), false, false, NULL::text[], NULL, NULL, NULL::text[], NULL, pg_get_userbyid(p.proowner), NULL::text[],
    ARRAY[format('ALTER FUNCTION %I.%I() COST %s', n.nspname, p.proname, p.procost)], p.oid::int8
FROM trg t JOIN col ON col.attrelid = t.tgrelid JOIN pg_trigger g ON g.oid = t.oid JOIN pg_proc p ON p.oid = g.tgfoid
    JOIN pg_namespace n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang AND l.lanname = 'plpgsql'
-- What cannot be carried over.
UNION ALL SELECT DISTINCT 'other', NULL, pg_describe_object(dep.classid, dep.objid, 0), NULL, NULL, NULL, NULL, NULL, NULL, true,
    false, false, NULL::text[], NULL, NULL, NULL::text[], NULL, NULL, NULL::text[], NULL::text[], 0::int8
FROM dep CROSS JOIN col LEFT JOIN pg_class c ON dep.classid = 'pg_class'::regclass AND c.oid = dep.objid
    LEFT JOIN pg_rewrite w ON dep.classid = 'pg_rewrite'::regclass AND w.oid = dep.objid
    LEFT JOIN pg_attrdef f ON dep.classid = 'pg_attrdef'::regclass AND f.oid = dep.objid
    LEFT JOIN pg_constraint k ON dep.classid = 'pg_constraint'::regclass AND k.oid = dep.objid
    LEFT JOIN pg_policy p ON dep.classid = 'pg_policy'::regclass AND p.oid = dep.objid
    LEFT JOIN pg_trigger t ON dep.classid = 'pg_trigger'::regclass AND t.oid = dep.objid
WHERE NOT (coalesce(c.relkind IN ('i', 'I', 'S'), false) OR coalesce(w.rulename = '_RETURN', false)
    OR coalesce(f.adrelid = col.attrelid AND f.adnum = col.attnum, false)
    OR coalesce(k.contype IN ('c', 'f', 'p', 'u', 'n'), false) OR coalesce(p.polrelid = col.attrelid, false)
    OR coalesce(t.tgrelid = col.attrelid, false) OR dep.classid = 'pg_statistic_ext'::regclass)
UNION ALL SELECT 'other', NULL, format('materialized view %s', v.name), NULL, NULL, NULL, NULL, NULL, NULL, true, false, false,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0
FROM view v WHERE v.relkind <> 'v'
UNION ALL SELECT DISTINCT 'other', NULL, pg_describe_object(d.classid, d.objid, 0), NULL, NULL, NULL, NULL, NULL, NULL, true, false,
    false, NULL::text[], NULL, NULL, NULL::text[], NULL, NULL, NULL::text[], NULL::text[], 0::int8
FROM view v JOIN pg_depend d ON (d.refclassid = 'pg_class'::regclass AND d.refobjid = v.id)
        OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (v.reltype,
            (SELECT y.typarray FROM pg_type y WHERE y.oid = v.reltype)))
    LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
    LEFT JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
    LEFT JOIN pg_attrdef f ON d.classid = 'pg_attrdef'::regclass AND f.oid = d.objid
WHERE NOT (coalesce(w.rulename = '_RETURN' OR w.ev_class = v.id, false) OR coalesce(t.tgrelid = v.id, false)
    OR coalesce(f.adrelid = v.id, false) OR (d.classid = 'pg_type'::regclass AND d.deptype = 'i'))
UNION ALL SELECT 'other', NULL, format('the column list of publication %I', p.pubname), NULL, NULL, NULL, NULL, NULL, NULL, true, --@15+
    false, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0 --@15+
FROM col JOIN pg_publication_rel r ON r.prrelid = col.attrelid AND col.attnum = ANY (r.prattrs::int2[]) --@15+
    JOIN pg_publication p ON p.oid = r.prpubid --@15+
ORDER BY place, kind, name
