-- What stands before and around tables: schemas, extensions, collations, types, functions, sequences.
-- $1 classes, $2 ids, $3 levels of the closure. Rows: stage and place (the order), level, what it is for people,
-- and the statement; NULL where there is none, because Stoa cannot copy such a thing.
WITH node AS (
    SELECT u.class, u.id, u.level FROM unnest($1::oid[], $2::oid[], $3::int[]) AS u(class, id, level)
), space AS (
    SELECT n.oid, n.nspname, n.nspowner FROM pg_namespace n
    WHERE n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND (n.oid IN (
        SELECT c.relnamespace FROM node JOIN pg_class c ON node.class = 'pg_class'::regclass AND c.oid = node.id
        UNION ALL SELECT t.typnamespace FROM node JOIN pg_type t ON node.class = 'pg_type'::regclass AND t.oid = node.id
        UNION ALL SELECT p.pronamespace FROM node JOIN pg_proc p ON node.class = 'pg_proc'::regclass AND p.oid = node.id
        UNION ALL SELECT l.collnamespace FROM node
            JOIN pg_collation l ON node.class = 'pg_collation'::regclass AND l.oid = node.id
        UNION ALL SELECT s.stxnamespace FROM node
            JOIN pg_statistic_ext s ON node.class = 'pg_statistic_ext'::regclass AND s.oid = node.id
        UNION ALL SELECT o.oprnamespace FROM node
            JOIN pg_operator o ON node.class = 'pg_operator'::regclass AND o.oid = node.id
        UNION ALL SELECT c.cfgnamespace FROM node
            JOIN pg_ts_config c ON node.class = 'pg_ts_config'::regclass AND c.oid = node.id
        UNION ALL SELECT e.extnamespace FROM node
            JOIN pg_extension e ON node.class = 'pg_extension'::regclass AND e.oid = node.id)
        OR n.nspname = ANY ($4::text[]))
), typ AS (
    SELECT t.*, node.level, format('%I.%I', n.nspname, t.typname) AS name
        , t.oid --@12-
    FROM node JOIN pg_type t ON node.class = 'pg_type'::regclass AND t.oid = node.id
        JOIN pg_namespace n ON n.oid = t.typnamespace
), fun AS (
    SELECT p.oid, p.proname, p.proowner, node.level,
        p.prokind = 'a' AS aggregate, --@11+
        p.proisagg AS aggregate, --@11-
        format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) AS name,
        format('%I.%I', n.nspname, p.proname) AS path, pg_get_function_identity_arguments(p.oid) AS arguments
    FROM node JOIN pg_proc p ON node.class = 'pg_proc'::regclass AND p.oid = node.id
        JOIN pg_namespace n ON n.oid = p.pronamespace
), seq AS (
    SELECT c.oid, c.relowner, c.relpersistence, node.level, format('%I.%I', n.nspname, c.relname) AS name, s.*,
        (SELECT format('%I.%I.%I', tn.nspname, t.relname, a.attname)
         FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
             JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
         WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = d.classid
           AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') LIMIT 1) AS owned_by,
        EXISTS (SELECT FROM pg_depend d
                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = d.classid
                  AND d.deptype = 'i') AS identity
    FROM node JOIN pg_class c ON node.class = 'pg_class'::regclass AND c.oid = node.id AND c.relkind = 'S'
        JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_sequence s ON s.seqrelid = c.oid
)
-- Everybody may make things in them, so that what is made can be handed to its owner.
SELECT 10 AS stage, oid::int8 AS place, 1 AS level, format('schema %I', nspname) AS what,
    format('CREATE SCHEMA IF NOT EXISTS %I; GRANT ALL ON SCHEMA %I TO PUBLIC', nspname, nspname) AS sql
FROM space
UNION ALL SELECT 15, e.oid::int8, node.level, format('extension %I', e.extname),
    format('CREATE EXTENSION IF NOT EXISTS %I SCHEMA %I', e.extname, n.nspname)
FROM node JOIN pg_extension e ON node.class = 'pg_extension'::regclass AND e.oid = node.id
    JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname <> 'plpgsql'
UNION ALL SELECT 20, l.oid::int8, node.level, format('collation %I.%I', n.nspname, l.collname),
    format('CREATE COLLATION %I.%I (PROVIDER = %s%s)', n.nspname, l.collname,
        CASE l.collprovider WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END,
        CASE WHEN l.collprovider = 'c' THEN format(', LC_COLLATE = %L, LC_CTYPE = %L', l.collcollate, l.collctype)
             ELSE format(', LOCALE = %L', coalesce(to_jsonb(l) ->> 'colllocale', to_jsonb(l) ->> 'colliculocale',
                 l.collcollate)) END
        || CASE WHEN NOT l.collisdeterministic THEN ', DETERMINISTIC = false' ELSE '' END --@12+
        || CASE WHEN l.collicurules IS NOT NULL THEN format(', RULES = %L', l.collicurules) ELSE '' END --@16+
    )
FROM node JOIN pg_collation l ON node.class = 'pg_collation'::regclass AND l.oid = node.id
    JOIN pg_namespace n ON n.oid = l.collnamespace
UNION ALL SELECT 30, t.oid::int8, t.level, 'type ' || t.name,
    format('CREATE TYPE %s AS ENUM (%s)', t.name, (
        SELECT string_agg(quote_literal(v.enumlabel), ', ' ORDER BY v.enumsortorder) FROM pg_enum v
        WHERE v.enumtypid = t.oid))
FROM typ t WHERE t.typtype = 'e'
UNION ALL SELECT 30, t.oid::int8, t.level, 'domain ' || t.name,
    format('CREATE DOMAIN %s AS %s%s%s%s', t.name, format_type(t.typbasetype, t.typtypmod),
        CASE WHEN t.typcollation <> b.typcollation THEN (
            SELECT format(' COLLATE %I.%I', n.nspname, l.collname) FROM pg_collation l
                JOIN pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = t.typcollation) END,
        ' DEFAULT ' || pg_get_expr(t.typdefaultbin, 0),
        CASE WHEN t.typnotnull THEN ' NOT NULL' END --@17-
        NULL --@17+
    )
FROM typ t JOIN pg_type b ON b.oid = t.typbasetype WHERE t.typtype = 'd'
UNION ALL SELECT 45, k.oid::int8, t.level, format('constraint %I of domain %s', k.conname, t.name),
    format('ALTER DOMAIN %s ADD CONSTRAINT %I %s', t.name, k.conname, pg_get_constraintdef(k.oid))
FROM typ t JOIN pg_constraint k ON k.contypid = t.oid
UNION ALL SELECT 30, c.oid::int8, node.level, format('type %I.%I', n.nspname, c.relname),
    format('CREATE TYPE %I.%I AS (%s)', n.nspname, c.relname, (
        SELECT string_agg(format('%I %s%s', a.attname, format_type(a.atttypid, a.atttypmod),
            CASE WHEN a.attcollation <> t.typcollation THEN format(' COLLATE %I.%I', ln.nspname, l.collname) END),
            ', ' ORDER BY a.attnum)
        FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
            LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped))
FROM node JOIN pg_class c ON node.class = 'pg_class'::regclass AND c.oid = node.id AND c.relkind = 'c'
    JOIN pg_namespace n ON n.oid = c.relnamespace
UNION ALL SELECT 30, t.oid::int8, t.level, 'type ' || t.name,
    CASE WHEN r.rngcanonical = 0 THEN format('CREATE TYPE %s AS RANGE (SUBTYPE = %s, SUBTYPE_OPCLASS = %I.%I%s%s%s)',
        t.name, format_type(r.rngsubtype, NULL), opn.nspname, op.opcname,
        (SELECT format(', COLLATION = %I.%I', n.nspname, l.collname) FROM pg_collation l
             JOIN pg_namespace n ON n.oid = l.collnamespace WHERE l.oid = r.rngcollation),
        (SELECT format(', SUBTYPE_DIFF = %I.%I', n.nspname, p.proname) FROM pg_proc p
             JOIN pg_namespace n ON n.oid = p.pronamespace WHERE p.oid = r.rngsubdiff),
        (SELECT format(', MULTIRANGE_TYPE_NAME = %I.%I', n.nspname, m.typname) FROM pg_type m --@14+
             JOIN pg_namespace n ON n.oid = m.typnamespace WHERE m.oid = r.rngmultitypid) --@14+
        NULL --@14-
    ) END
FROM typ t JOIN pg_range r ON r.rngtypid = t.oid JOIN pg_opclass op ON op.oid = r.rngsubopc
    JOIN pg_namespace opn ON opn.oid = op.opcnamespace
WHERE t.typtype = 'r'
UNION ALL SELECT CASE WHEN EXISTS (
            SELECT FROM pg_depend d LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
                LEFT JOIN pg_type e ON e.oid = t.typelem
                LEFT JOIN pg_class c ON c.oid = coalesce(nullif(t.typrelid, 0), e.typrelid)
            WHERE d.classid = 'pg_proc'::regclass AND d.objid = f.oid
              AND (d.refclassid = 'pg_class'::regclass OR c.relkind IN ('r', 'p', 'v', 'm'))) THEN 64 ELSE 40 END,
    f.oid::int8, f.level, 'function ' || f.name,
    CASE WHEN NOT f.aggregate THEN pg_get_functiondef(f.oid) END
FROM fun f WHERE NOT f.aggregate
-- As a view or a default sees them: the variants for moving windows and parallel workers change no DDL.
UNION ALL SELECT 46, f.oid::int8, f.level, 'aggregate ' || f.name,
    CASE WHEN a.aggkind = 'n' THEN format('CREATE AGGREGATE %s (SFUNC = %s, STYPE = %s%s%s)', CASE f.arguments
            WHEN '' THEN f.path || '(*)' ELSE f.name END, a.aggtransfn, format_type(a.aggtranstype, NULL),
        CASE WHEN a.aggfinalfn <> 0 THEN format(', FINALFUNC = %s%s', a.aggfinalfn,
            CASE WHEN a.aggfinalextra THEN ', FINALFUNC_EXTRA' END) END, ', INITCOND = ' || quote_literal(a.agginitval))
    END
FROM fun f JOIN pg_aggregate a ON a.aggfnoid = f.oid
UNION ALL SELECT 44, o.oid::int8, node.level, pg_describe_object(node.class, node.id, 0),
    format('CREATE OPERATOR %I.%s (PROCEDURE = %s%s%s%s%s)', n.nspname, o.oprname, o.oprcode::regproc,
        CASE WHEN o.oprleft <> 0 THEN ', LEFTARG = ' || format_type(o.oprleft, NULL) END,
        CASE WHEN o.oprright <> 0 THEN ', RIGHTARG = ' || format_type(o.oprright, NULL) END,
        CASE WHEN o.oprcanhash THEN ', HASHES' END, CASE WHEN o.oprcanmerge THEN ', MERGES' END)
FROM node JOIN pg_operator o ON node.class = 'pg_operator'::regclass AND o.oid = node.id
    JOIN pg_namespace n ON n.oid = o.oprnamespace
WHERE o.oprcode <> 0
-- Without its dictionaries: there is no row to read with it.
UNION ALL SELECT 20, c.oid::int8, node.level, format('text search configuration %I.%I', n.nspname, c.cfgname),
    format('CREATE TEXT SEARCH CONFIGURATION %I.%I (PARSER = %I.%I)', n.nspname, c.cfgname, pn.nspname, p.prsname)
FROM node JOIN pg_ts_config c ON node.class = 'pg_ts_config'::regclass AND c.oid = node.id
    JOIN pg_namespace n ON n.oid = c.cfgnamespace JOIN pg_ts_parser p ON p.oid = c.cfgparser
    JOIN pg_namespace pn ON pn.oid = p.prsnamespace
UNION ALL SELECT 50, s.oid::int8, s.level, 'sequence ' || s.name,
    format('CREATE %sSEQUENCE %s AS %s INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s%s',
        CASE WHEN s.relpersistence = 'u' THEN 'UNLOGGED ' END, s.name, format_type(s.seqtypid, NULL), s.seqincrement,
        s.seqmin, s.seqmax, s.seqstart, s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' END)
FROM seq s WHERE NOT s.identity
UNION ALL SELECT 100, s.oid::int8, s.level, 'sequence ' || s.name,
    format('ALTER SEQUENCE %s OWNED BY %s', s.name, s.owned_by)
FROM seq s WHERE NOT s.identity AND s.owned_by IS NOT NULL
-- Owners, where we may.
UNION ALL SELECT 110, o.place, 0, o.what, format('ALTER %s OWNER TO %I', o.what, pg_get_userbyid(o.owner))
FROM (SELECT s.oid::int8 AS place, s.nspowner AS owner, format('SCHEMA %I', s.nspname) AS what FROM space s
      UNION ALL SELECT t.oid::int8, t.typowner, format('TYPE %s', t.name) FROM typ t WHERE t.typtype IN ('e', 'd', 'r')
      UNION ALL SELECT f.oid::int8, f.proowner,
          format('ROUTINE %s', f.name) --@11+
          format('FUNCTION %s', f.name) --@11-
      FROM fun f WHERE NOT f.aggregate
      UNION ALL SELECT s.oid::int8, s.relowner, format('SEQUENCE %s', s.name) FROM seq s WHERE s.owned_by IS NULL
      UNION ALL SELECT c.oid::int8, c.relowner,
          format('%s %I.%I', CASE WHEN c.relkind = 'c' THEN 'TYPE' ELSE 'TABLE' END, n.nspname, c.relname)
      FROM node JOIN pg_class c ON node.class = 'pg_class'::regclass AND c.oid = node.id
          JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'c')) o
WHERE pg_get_userbyid(o.owner) <> current_user AND pg_has_role(o.owner, 'USAGE')
    AND pg_has_role(o.owner, 'SET') --@16+
-- What there is no statement for.
UNION ALL SELECT 1, node.id::int8, node.level, pg_describe_object(node.class, node.id, 0), NULL
FROM node
WHERE node.class IN ('pg_opclass'::regclass, 'pg_opfamily'::regclass, 'pg_cast'::regclass, 'pg_language'::regclass,
        'pg_am'::regclass, 'pg_conversion'::regclass)
    OR node.class = 'pg_class'::regclass AND EXISTS (
        SELECT FROM pg_class c WHERE c.oid = node.id AND (c.relkind = 'f' OR c.relpersistence = 't'))
    OR node.class = 'pg_type'::regclass AND EXISTS (
        SELECT FROM typ t WHERE t.oid = node.id AND t.typtype = 'b' AND NOT EXISTS (
            SELECT FROM pg_type e WHERE e.typarray = t.oid))
