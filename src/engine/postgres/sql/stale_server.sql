-- Since when uses are counted, and who else may use what this server does not see.
SELECT pg_catalog.date_trunc('second', s.since)::text AS statistics_since,
    extract(epoch FROM pg_catalog.clock_timestamp() - s.since)::int8 AS statistics_age_s,
    s.transactions, pg_catalog.current_setting('track_counts')::bool AS counts,
    CASE WHEN NOT pg_catalog.current_setting('track_counts')::bool THEN 'track_counts is off' END AS why_not,
    CASE WHEN NOT pg_catalog.current_setting('track_counts')::bool THEN 'track_counts = on' END AS remedy,
    (SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_replication r
     WHERE r.application_name NOT LIKE '%pg_basebackup%' AND r.application_name NOT LIKE '%receivewal%'
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots l
                        WHERE l.active_pid = r.pid AND l.slot_type = 'logical')) AS standbys
FROM (
    -- A database whose counters were never set back counts since the server's own began, or lost them.
    SELECT coalesce(d.stats_reset, b.stats_reset, pg_catalog.pg_postmaster_start_time()) AS since,
        (d.xact_commit + d.xact_rollback)::int8 AS transactions
    FROM pg_catalog.pg_stat_database d, pg_catalog.pg_stat_bgwriter b
    WHERE d.datname = pg_catalog.current_database()
) s
