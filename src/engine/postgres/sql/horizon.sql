-- Who holds back pruning in this database, oldest snapshot first. How long: for a running statement of a
-- transaction without an id the snapshot may be no older than the statement; a standby tells transactions only.
WITH here AS (
    SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()
), me AS (
    SELECT a.usesysid, a.client_addr FROM pg_catalog.pg_stat_activity a WHERE a.pid = pg_catalog.pg_backend_pid()
), holder AS (
    SELECT greatest(coalesce(pg_catalog.age(a.backend_xmin), 0), coalesce(pg_catalog.age(a.backend_xid), 0)) AS xids,
        extract(epoch FROM pg_catalog.clock_timestamp() -
            CASE WHEN a.backend_type = 'walsender' THEN NULL
                 WHEN a.state = 'active' AND a.backend_xid IS NULL THEN a.query_start ELSE a.xact_start END) AS seconds,
        CASE WHEN a.backend_type = 'walsender' THEN 'standby ' ELSE 'pid ' || a.pid || ' ' END || coalesce(nullif(a.application_name, ''), a.backend_type, '') AS who,
        coalesce(a.state, 'running') AS state
    FROM pg_catalog.pg_stat_activity a CROSS JOIN me
    WHERE (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
      AND (a.datid = (SELECT oid FROM here) OR a.backend_type = 'walsender')
      AND a.pid <> pg_catalog.pg_backend_pid()
      AND NOT coalesce(a.application_name LIKE 'stoa: %' AND a.usesysid = me.usesysid
                       AND a.client_addr IS NOT DISTINCT FROM me.client_addr, false)
      -- A plain VACUUM's own snapshot is ignored by others.
      AND NOT coalesce(a.query ~* '^\s*(autovacuum:\s*)?vacuum\M' AND a.query !~* '\m(analyze|full)\M'
                       AND a.state = 'active', false)
    UNION ALL
    SELECT pg_catalog.age(x.transaction), extract(epoch FROM pg_catalog.clock_timestamp() - x.prepared),
        'prepared transaction ' || x.gid, 'prepared'
    FROM pg_catalog.pg_prepared_xacts x WHERE x.database = pg_catalog.current_database()
    UNION ALL
    SELECT pg_catalog.age(s.xmin),
        extract(epoch FROM pg_catalog.clock_timestamp() - s.inactive_since), --@17+
        NULL, --@17-
        'replication slot ' || s.slot_name, CASE WHEN s.active THEN 'active' ELSE 'inactive' END
    FROM pg_catalog.pg_replication_slots s WHERE s.xmin IS NOT NULL
)
SELECT h.xids, (h.seconds * 1000)::int8 AS age_ms, h.who, h.state FROM holder h ORDER BY h.xids DESC LIMIT 20
