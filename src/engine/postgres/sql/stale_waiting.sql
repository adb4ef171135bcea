-- Transactions that were prepared and never ended, and slots that nobody reads: both keep what is dead from being
-- cleaned up.
SELECT 'prepared transaction' AS type, x.gid AS name, x.owner::text AS owner,
    extract(epoch FROM pg_catalog.clock_timestamp() - x.prepared)::int8 AS age_s, NULL::int8 AS bytes, false AS lost
FROM pg_catalog.pg_prepared_xacts x WHERE x.database = pg_catalog.current_database()
UNION ALL
SELECT 'replication slot', s.slot_name::text, NULL,
    NULL, --@17-
    extract(epoch FROM pg_catalog.clock_timestamp() - s.inactive_since)::int8, --@17+
    CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL
        ELSE pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn)::int8 END,
    false --@13-
    coalesce(s.wal_status = 'lost', false) --@13+
FROM pg_catalog.pg_replication_slots s
WHERE NOT s.active AND NOT s.temporary AND (s.database IS NULL OR s.database = pg_catalog.current_database())
