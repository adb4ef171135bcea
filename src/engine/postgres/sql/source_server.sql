-- The settings that decide how long work takes, what tells of the machine, and since when the server counts: one
-- row of JSON. Sizes in bytes. Runs with search_path = pg_catalog, pg_temp.
SELECT json_build_object(
    'settings', (SELECT json_object_agg(s.name, CASE s.unit
            WHEN '8kB' THEN (s.setting::int8 * 8192)::text WHEN 'kB' THEN (s.setting::int8 * 1024)::text
            WHEN 'MB' THEN (s.setting::int8 * 1048576)::text ELSE s.setting END)
        FROM pg_settings s WHERE s.name IN ('shared_buffers', 'maintenance_work_mem', 'work_mem', 'max_wal_size',
            'wal_level', 'full_page_writes', 'synchronous_commit', 'wal_compression', 'checkpoint_timeout', 'wal_buffers',
            'checkpoint_completion_target', 'max_parallel_maintenance_workers', 'effective_io_concurrency',
            'maintenance_io_concurrency', 'data_checksums', 'wal_log_hints', 'vacuum_cost_delay', 'default_statistics_target',
            'autovacuum', 'fsync', 'track_commit_timestamp')),
    'hardware', (SELECT json_build_object(
            'effective_cache_size', (SELECT s.setting::int8 * 8192 FROM pg_settings s WHERE s.name = 'effective_cache_size'),
            'random_page_cost', current_setting('random_page_cost')::float8,
            'read_ms_per_block', CASE WHEN d.blks_read > 0 AND d.blk_read_time > 0 THEN d.blk_read_time / d.blks_read END,
            'cache_hit', CASE WHEN d.blks_read + d.blks_hit > 0 THEN d.blks_hit::float8 / (d.blks_read + d.blks_hit) END)
        FROM pg_stat_database d WHERE d.datname = current_database()),
    'encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'ctype', d.datctype,
    'database_bytes', pg_database_size(d.oid),
    'counted_s', (SELECT extract(epoch FROM now() - coalesce(t.stats_reset, pg_postmaster_start_time()))
                  FROM pg_stat_database t WHERE t.datid = d.oid))
FROM pg_database d WHERE d.datname = current_database()
