-- Statements that drop the scratch schemas whose names begin with $1, in order: what it is, the statement. One
-- object at a time, the newest first, where there are so many that one statement would fill the server's lock table.
-- No statement where something else in the database depends on what is in them: CASCADE would take it along.
WITH space AS (
    SELECT n.oid, n.nspname FROM pg_namespace n WHERE left(n.nspname, length($1::text)) = $1::text
), object(stage, class, id) AS (
    SELECT CASE WHEN c.relkind IN ('v', 'm') THEN 1 WHEN c.relkind = 'S' THEN 3 ELSE 2 END, 'pg_class'::regclass, c.oid
    FROM pg_class c WHERE c.relnamespace IN (SELECT oid FROM space) AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
    UNION ALL SELECT 4, 'pg_proc'::regclass, p.oid FROM pg_proc p WHERE p.pronamespace IN (SELECT oid FROM space)
    UNION ALL SELECT 5, 'pg_type'::regclass, t.oid FROM pg_type t
    WHERE t.typnamespace IN (SELECT oid FROM space) AND t.typtype IN ('e', 'd', 'r')
), stranger AS (
    SELECT d.classid, d.objid FROM pg_depend d JOIN object o ON o.class = d.refclassid AND o.id = d.refobjid
    WHERE d.classid IN ('pg_class'::regclass, 'pg_rewrite'::regclass, 'pg_constraint'::regclass, 'pg_proc'::regclass,
        'pg_type'::regclass, 'pg_attrdef'::regclass, 'pg_trigger'::regclass)
    AND NOT EXISTS (
        SELECT FROM pg_identify_object(d.classid, d.objid, d.objsubid) i
        WHERE i.schema = 'pg_toast' OR strpos(i.identity, $1::text) > 0)
)
SELECT x.what, x.sql FROM (
    SELECT o.stage, -o.id::int8 AS place, i.type || ' ' || i.identity AS what, format('DROP %s IF EXISTS %s CASCADE', CASE
        WHEN i.type = 'composite type' THEN 'TYPE'
        WHEN i.type IN ('function', 'procedure', 'aggregate') THEN 'ROUTINE' --@11+
        ELSE upper(i.type) END,
        CASE WHEN i.type = 'aggregate' THEN replace(i.identity, '()', '(*)') ELSE --@11-
        i.identity
        END --@11-
        ) AS sql
    FROM object o CROSS JOIN LATERAL pg_identify_object(o.class, o.id, 0) i
    WHERE (SELECT count(*) > 200 FROM object)
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.class AND d.objid = o.id AND d.deptype = 'i')
    UNION ALL SELECT 6, s.oid::int8, 'schema ' || s.nspname, format('DROP SCHEMA IF EXISTS %I CASCADE', s.nspname)
    FROM space s) x
WHERE NOT EXISTS (SELECT FROM stranger)
ORDER BY x.stage, x.place
