-- Physical standbys and how far behind each is: a primary sends what it has flushed.
SELECT r.application_name || coalesce('@' || pg_catalog.host(r.client_addr), '') AS name,
    r.state IS NOT NULL AS visible,
    r.state AS state,
    CASE WHEN r.replay_lsn >= wal.lsn THEN 0
         WHEN r.replay_lag IS NULL THEN -1
         ELSE (extract(epoch FROM r.replay_lag) * 1000)::int8 END AS lag_ms,
    greatest(pg_catalog.pg_wal_lsn_diff(wal.lsn, r.replay_lsn), 0)::int8 AS lag_bytes,
    r.replay_lsn IS NOT NULL AS replays,
    $1::text IS NULL OR coalesce(r.replay_lsn >= $1::text::pg_lsn, false) AS reached,
    current_user AS role
FROM pg_catalog.pg_stat_replication r
    CROSS JOIN (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
                            ELSE pg_catalog.pg_current_wal_flush_lsn() END AS lsn) wal
WHERE r.state IS DISTINCT FROM 'backup' AND r.pid NOT IN (
    SELECT s.active_pid FROM pg_catalog.pg_replication_slots s
    WHERE s.slot_type = 'logical' AND s.active_pid IS NOT NULL)
ORDER BY r.application_name, r.client_addr, r.pid
