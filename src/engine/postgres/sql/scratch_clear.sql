-- Statements that empty a scratch database: rows of stage and place (the order), level, what it is, the statement.
-- Members of extensions go with these, parts of tables with them, and whatever stands in a schema that is dropped
-- with it, unless there are so many relations that one statement would fill the server's lock table.
WITH part AS (
    SELECT d.classid, d.objid FROM pg_depend d WHERE d.deptype IN ('e', 'i')
), relation AS (
    SELECT c.oid, c.relkind, c.relnamespace FROM pg_class c WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
), object(stage, class, id, space) AS (
    SELECT 10, 'pg_event_trigger'::regclass, oid, 0::oid FROM pg_event_trigger
    UNION ALL SELECT 11, 'pg_publication'::regclass, oid, 0 FROM pg_publication
    UNION ALL SELECT CASE WHEN relkind IN ('v', 'm') THEN 20 WHEN relkind = 'S' THEN 22 ELSE 21 END,
        'pg_class'::regclass, oid, CASE WHEN (SELECT count(*) > 200 FROM relation) THEN 0 ELSE relnamespace END
    FROM relation
    UNION ALL SELECT 30, 'pg_class'::regclass, oid, relnamespace FROM pg_class WHERE relkind = 'c'
    UNION ALL SELECT 31, 'pg_proc'::regclass, oid, pronamespace FROM pg_proc
    UNION ALL SELECT 32, 'pg_operator'::regclass, oid, oprnamespace FROM pg_operator
    UNION ALL SELECT 33, 'pg_opclass'::regclass, oid, opcnamespace FROM pg_opclass
    UNION ALL SELECT 34, 'pg_opfamily'::regclass, oid, opfnamespace FROM pg_opfamily
    UNION ALL SELECT 35, 'pg_type'::regclass, oid, typnamespace FROM pg_type
    UNION ALL SELECT 36, 'pg_cast'::regclass, oid, 0 FROM pg_cast
    UNION ALL SELECT 37, 'pg_collation'::regclass, oid, collnamespace FROM pg_collation
    UNION ALL SELECT 38, 'pg_conversion'::regclass, oid, connamespace FROM pg_conversion
    UNION ALL SELECT 39, 'pg_ts_config'::regclass, oid, cfgnamespace FROM pg_ts_config
    UNION ALL SELECT 40, 'pg_ts_dict'::regclass, oid, dictnamespace FROM pg_ts_dict
    UNION ALL SELECT 41, 'pg_statistic_ext'::regclass, oid, stxnamespace FROM pg_statistic_ext
    UNION ALL SELECT 42, 'pg_foreign_server'::regclass, oid, 0 FROM pg_foreign_server
    UNION ALL SELECT 43, 'pg_foreign_data_wrapper'::regclass, oid, 0 FROM pg_foreign_data_wrapper
    UNION ALL SELECT 44, 'pg_language'::regclass, oid, 0 FROM pg_language
    UNION ALL SELECT 45, 'pg_am'::regclass, oid, 0 FROM pg_am
    UNION ALL SELECT 50, 'pg_extension'::regclass, oid, 0 FROM pg_extension
    UNION ALL SELECT 60, 'pg_namespace'::regclass, oid, 0 FROM pg_namespace WHERE nspname !~ '^pg_'
)
SELECT o.stage, o.id::int8 AS place, 1 AS level, i.type || ' ' || i.identity AS what,
    format('DROP %s IF EXISTS %s CASCADE', CASE
        WHEN i.type = 'composite type' THEN 'TYPE'
        WHEN i.type = 'statistics object' THEN 'STATISTICS'
        WHEN i.type IN ('function', 'procedure', 'aggregate') THEN 'ROUTINE' --@11+
        ELSE upper(i.type) END,
        CASE WHEN i.type = 'aggregate' THEN replace(i.identity, '()', '(*)') ELSE --@11-
        i.identity
        END --@11-
        ) AS sql
FROM object o CROSS JOIN LATERAL pg_identify_object(o.class, o.id, 0) i
WHERE o.id >= 16384 AND o.space < 16384 AND o.space <> 'pg_catalog'::regnamespace
    AND NOT EXISTS (SELECT FROM part p WHERE p.classid = o.class AND p.objid = o.id)
-- So that no role but ours has anything in it, and each of them can be dropped.
UNION ALL SELECT 5, n.oid::int8, 1, 'schema ' || n.nspname, format('ALTER SCHEMA %I OWNER TO CURRENT_USER', n.nspname)
FROM pg_namespace n JOIN pg_shdepend s ON s.classid = 'pg_namespace'::regclass AND s.objid = n.oid AND s.deptype = 'o'
    JOIN pg_database d ON d.oid = s.dbid AND d.datname = current_database()
WHERE n.oid < 16384 AND pg_get_userbyid(n.nspowner) NOT IN (current_user, 'pg_database_owner')
UNION ALL SELECT 6, n.oid::int8, 1, 'schema ' || n.nspname,
    format('REVOKE ALL ON SCHEMA %I FROM %I CASCADE', n.nspname, pg_get_userbyid(s.refobjid))
FROM pg_namespace n JOIN pg_shdepend s ON s.classid = 'pg_namespace'::regclass AND s.objid = n.oid AND s.deptype = 'a'
    JOIN pg_database d ON d.oid = s.dbid AND d.datname = current_database()
WHERE n.oid < 16384
ORDER BY stage, place
