-- Texts that name columns without the catalog knowing: bodies of functions, and what sessions run just now.
SELECT p.prosrc AS text FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    JOIN pg_catalog.pg_language l ON l.oid = p.prolang AND l.lanname NOT IN ('c', 'internal')
WHERE n.nspname !~ '^(pg_|stoa_scratch_)' AND n.nspname NOT IN ('information_schema', 'stoa')
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_proc'::regclass
                    AND e.objid = p.oid AND e.deptype = 'e')
UNION ALL
SELECT a.query FROM pg_catalog.pg_stat_activity a
WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
    AND a.application_name NOT LIKE 'stoa:%' AND a.query IS NOT NULL
LIMIT 20000
