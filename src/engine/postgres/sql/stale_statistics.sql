-- Columns of which the last ANALYZE saw no value, or one value and no NULL. Of partitions their parent speaks.
SELECT s.schemaname AS schema, s.tablename AS "table", s.attname AS "column", s.null_frac::float8 AS null_frac,
    s.n_distinct::float8 AS "distinct", c.reltuples::int8 AS table_rows,
    least(c.reltuples, 300.0 * CASE WHEN coalesce(a.attstattarget, -1) < 0
        THEN pg_catalog.current_setting('default_statistics_target')::int ELSE a.attstattarget END)::int8
        AS sampled_rows,
    extract(epoch FROM pg_catalog.clock_timestamp() - greatest(pg_catalog.pg_stat_get_last_analyze_time(c.oid),
        pg_catalog.pg_stat_get_last_autoanalyze_time(c.oid)))::int8 AS analyzed_age_s,
    pg_catalog.pg_stat_get_mod_since_analyze(c.oid) AS changed_rows,
    c.relpages::int8 * pg_catalog.current_setting('block_size')::int8 AS table_bytes
FROM pg_catalog.pg_stats s JOIN pg_catalog.pg_namespace n ON n.nspname = s.schemaname
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = s.tablename AND c.relkind IN ('r', 'p')
    JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = s.attname
WHERE (s.null_frac >= 1 OR s.n_distinct = 1 AND s.null_frac = 0) AND s.inherited = (c.relkind = 'p')
    AND NOT c.relispartition AND c.reltuples > 0
    AND n.nspname !~ '^(pg_|stoa_scratch_)' AND n.nspname NOT IN ('information_schema', 'stoa', 'pgroll', 'repack', 'reshape')
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::regclass
                    AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY 1, 2, a.attnum
