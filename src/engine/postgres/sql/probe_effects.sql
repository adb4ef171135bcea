-- What this session's transaction did to relations that may be gone by now. $1 their oids.
SELECT r.oid::int8 AS id, pg_catalog.pg_stat_get_xact_numscans(r.oid) AS scans,
    (SELECT pg_catalog.json_agg(l.mode) FROM pg_catalog.pg_locks l
     WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'relation' AND l.granted AND l.relation = r.oid
         AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d
                           WHERE d.datname = pg_catalog.current_database())) AS modes
FROM pg_catalog.unnest($1::oid[]) AS r(oid)
