-- What the server remembers of a table's use besides statements. $1 schema, $2 name, $3 columns as JSON,
-- $4 whether its partitions count as well.
-- A line that ends in "--@14+" is for PostgreSQL 14 and later only, "--@14-" for what is older.
WITH RECURSIVE wanted(name) AS (
    SELECT pg_catalog.json_array_elements_text($3::json)
), rel AS (
    SELECT c.oid, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = $1::text AND c.relname = $2::text AND c.relkind IN ('r', 'p', 'f')
), part(id) AS (
    SELECT oid FROM rel
    UNION
    SELECT i.inhrelid FROM part p JOIN pg_catalog.pg_inherits i ON i.inhparent = p.id
        JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition
    WHERE $4::text = 'true'
), pattern(text) AS (
    SELECT '\m(' || pg_catalog.string_agg(pg_catalog.regexp_replace(c.relname, '(\W)', '\\\1', 'g'), '|') || ')\M'
    FROM part p JOIN pg_catalog.pg_class c ON c.oid = p.id
)
SELECT pg_catalog.date_trunc('second', pg_catalog.clock_timestamp())::text AS at,
    NOT EXISTS (SELECT FROM rel) OR EXISTS (SELECT FROM wanted w
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a, rel WHERE a.attrelid = rel.oid AND a.attname = w.name
                          AND a.attnum > 0 AND NOT a.attisdropped)) AS gone,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('schema', n.nspname, 'name', c.relname))
     FROM part p JOIN pg_catalog.pg_class c ON c.oid = p.id
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace) AS parts,
    coalesce((SELECT pg_catalog.sum(s.seq_scan + coalesce(s.idx_scan, 0)) FROM pg_catalog.pg_stat_all_tables s, part p
              WHERE s.relid = p.id), 0)::int8 AS scans,
    coalesce((SELECT pg_catalog.sum(s.n_tup_ins + s.n_tup_upd + s.n_tup_del) FROM pg_catalog.pg_stat_all_tables s, part p
              WHERE s.relid = p.id), 0)::int8 AS writes,
    pg_catalog.current_setting('track_counts')::bool AS counts,
    pg_catalog.current_setting('track_activities')::bool AS activities,
    (SELECT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'pg_stat_statements') AS extension,
    EXISTS (SELECT FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
            WHERE e.extname = 'pg_stat_statements' AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')) AS reachable,
    pg_catalog.current_setting('pg_stat_statements.max', true) AS statement_max,
    pg_catalog.current_setting('pg_stat_statements.track', true) AS track,
    pg_catalog.current_setting('compute_query_id', true) = 'off' AS no_query_id,
    EXISTS (SELECT FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_depend d ON d.refclassid =
                'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
            JOIN pg_catalog.pg_class v ON d.classid = 'pg_catalog.pg_class'::regclass AND v.oid = d.objid
            WHERE e.extname = 'pg_stat_statements' AND v.relname = 'pg_stat_statements_info') AS has_info,
    (SELECT pg_catalog.json_agg(pg_catalog.json_build_object('pid', a.pid, 'role', a.usename, 'query',
            pg_catalog.left(a.query, 4000)))
     FROM pg_catalog.pg_stat_activity a
     WHERE a.datname = pg_catalog.current_database() AND a.pid <> pg_catalog.pg_backend_pid()
        AND a.state <> 'idle' AND a.application_name NOT LIKE 'stoa:%') AS running,
    (SELECT pg_catalog.json_agg(p.oid::regprocedure::text ORDER BY 1)
     FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        JOIN pg_catalog.pg_language l ON l.oid = p.prolang AND l.lanname NOT IN ('c', 'internal')
    WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'stoa') AND n.nspname !~ '^stoa_scratch_'
        AND p.prosrc ~* (SELECT text FROM pattern)
        AND (NOT EXISTS (SELECT FROM wanted) OR EXISTS (
             SELECT FROM wanted w
             WHERE p.prosrc ~* ('\m' || pg_catalog.regexp_replace(w.name, '(\W)', '\\\1', 'g') || '\M')))
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_proc'::regclass
                        AND e.objid = p.oid AND e.deptype = 'e')) AS functions
